/*
 * publish_support: one table that is published where tables change one by one.
 */
#ifndef AIRLOCK_TEST_PUBLISH_SUPPORT_H
#define AIRLOCK_TEST_PUBLISH_SUPPORT_H

#include "airlock/warehouse/dialect.h"

/* Decided, with a stage and a restore point beside `to`. `production` NULL: there is none. */
struct publish_table one_table(const struct relation *from, const struct relation *to,
			       const struct table *staging, const struct table *production);
/* No way leads to it, and the message holds `why`. */
void has_no_way(const char *dialect, struct publish_table table, const char *why);
/* This way, and with this statement among the others. */
void publishes(const char *dialect, struct publish_table table, bool resumed,
	       enum publish_way expected, const char *statement);

#endif
