#include "airlock/warehouse/dialect.h"
