#include "airlock/dbt/runner.h"
