#include "airlock/dbt/manifest.h"
