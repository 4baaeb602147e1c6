#include "airlock/base/env.h"
