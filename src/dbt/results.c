#include "airlock/dbt/results.h"
