#include "airlock/base/host.h"
