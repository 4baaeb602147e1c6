#include "airlock/warehouse/relation.h"
