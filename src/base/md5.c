#include "airlock/base/md5.h"
