#include "airlock/dbt/cmdline.h"
