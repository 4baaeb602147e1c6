#include "airlock/base/fs.h"
