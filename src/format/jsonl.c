#include "airlock/format/jsonl.h"
