#include "airlock/dbt/ops.h"
