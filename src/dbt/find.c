#include "airlock/dbt/find.h"
