#include "airlock/base/mem.h"
