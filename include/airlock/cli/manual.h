/* manual: what `airlock help` says of everything, as a manual page (roff, for man(1)). */
#ifndef AIRLOCK_CLI_MANUAL_H
#define AIRLOCK_CLI_MANUAL_H

#include "airlock/base/buf.h"

void manual_write(struct buf *out);

#endif
