#include "airlock/format/json.h"
