/*
 * golden_support: texts as they were reviewed. With AIRLOCK_GOLDEN_UPDATE they are written
 * (scripts/golden-update shows the difference).
 */
#ifndef AIRLOCK_TEST_GOLDEN_SUPPORT_H
#define AIRLOCK_TEST_GOLDEN_SUPPORT_H

#include "airlock/base/buf.h"

#define GOLDEN AIRLOCK_SOURCE_DIR "/test/golden/"

/* The file `name` of that folder says `text`. */
void is_golden(const char *name, const struct buf *text);

#endif
