/*
 * config_support: what the tests of the configuration say, and what they expect of it.
 */
#ifndef AIRLOCK_TEST_CONFIG_SUPPORT_H
#define AIRLOCK_TEST_CONFIG_SUPPORT_H

#include "airlock/base/err.h"
#include "airlock/deploy/config.h"

/* A configuration made of everything that may speak. NULL: that source is silent. */
struct input {
	const char *project;   /* what stands under `vars:`, indented by two */
	const char *vars;      /* the text of --vars */
	const char *variables; /* NAME=VALUE, separated by spaces */
	const char *arguments; /* --name value, separated by spaces; flags have no value */
	const char *what;
};

/* The caller releases the configuration. < 0: with the reason in `err`. */
int configure(const struct input *input, struct config *config, struct err *err);
/* The caller releases the configuration. */
void accepts(const struct input *input, struct config *config);
/* `hint` NULL: any. */
void refuses(const struct input *input, enum err_code code, const char *message, const char *hint);
/* The list of an option, joined by "|", and where it comes from. */
void holds(const struct config *config, enum option_id id, const char *joined, const char *origin);

#endif
