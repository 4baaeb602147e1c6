#include "airlock/base/proc.h"
