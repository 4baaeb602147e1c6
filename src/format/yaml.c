#include "airlock/format/yaml.h"
