/*
 * help: everything that `airlock help` prints, made of the tables: commands, options, errors,
 * dbt's options, and the topics, whose texts are the files src/cli/help/<topic>.txt.
 */
#ifndef AIRLOCK_CLI_HELP_H
#define AIRLOCK_CLI_HELP_H

#include <stddef.h>

#include "airlock/base/buf.h"
#include "airlock/cli/command.h"
#include "airlock/deploy/option.h"

struct help_topic {
	const char *name;
	const char *summary; /* one line */
	const char *text;
	void (*append)(struct buf *out); /* what the tables know of it; NULL: nothing */
};

const struct help_topic *help_topics(size_t *ret_n);   /* sorted by name */
const struct help_topic *help_topic(const char *name); /* NULL: unknown */

void help_write_overview(const char *program, struct buf *out);
void help_write_option(const struct option_row *row, struct buf *out);
void help_write_command(const char *program, const struct command *command, struct buf *out);
void help_write_topic(const struct help_topic *topic, struct buf *out);

#endif
