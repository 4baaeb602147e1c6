#include "airlock/base/err.h"
