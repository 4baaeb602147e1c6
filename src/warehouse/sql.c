#include "airlock/warehouse/sql.h"
