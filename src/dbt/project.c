#include "airlock/dbt/project.h"
