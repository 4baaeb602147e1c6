#include "airlock/format/glob.h"
