#include "airlock/base/strv.h"
