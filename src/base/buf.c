#include "airlock/base/buf.h"
