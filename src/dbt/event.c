#include "airlock/dbt/event.h"
