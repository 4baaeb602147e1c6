#include "airlock/dbt/select.h"
