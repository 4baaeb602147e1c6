/*
 * arguments: the words behind a verb, by the table of options and the grammar of dbt's own
 * command line: --name value, --name=value, -n value; selection words go on up to the next
 * option; what follows `--` is dbt's and is sorted by cmdline_sort().
 *
 * Life cycle: arguments_parse(), read (deploy completes the config), arguments_release().
 * Errors:     ERR_USAGE naming the option, and where it belongs if it is one of dbt's;
 *             ERR_CONFIG_INVALID for a value; ERR_DBT_OPTION for what is behind `--`.
 */
#ifndef AIRLOCK_CLI_ARGUMENTS_H
#define AIRLOCK_CLI_ARGUMENTS_H

#include <stdbool.h>

#include "airlock/base/buf.h"
#include "airlock/base/err.h"
#include "airlock/base/strv.h"
#include "airlock/cli/command.h"
#include "airlock/dbt/cmdline.h"
#include "airlock/deploy/config.h"

struct arguments {
	struct config config;   /* what the command line says */
	struct cmdline cmdline; /* what is behind `--` */
	struct strv dbt_words;  /* the same as it was written */
	char *what;             /* the operand; NULL without */
	struct strv more;       /* those behind it */
	bool wants_help;        /* -h, --help */
};

bool command_takes(const struct command *command, enum option_id id);

/* `words` end in NULL and begin behind the verb. */
int arguments_parse(const struct command *command, char *const *words,
		    struct arguments *ret_arguments, struct err *err);
void arguments_release(struct arguments *arguments);

/* Whether --json is among words that may be wrong otherwise. */
bool arguments_want_json(char *const *words);

/* The command line of another command with the same choices, quoted for a shell; --json is left
 * out, and so is what it does not take. Secrets (secret.h) are *** in it. */
void arguments_write(const struct arguments *arguments, const char *program,
		     const struct command *command, const struct strv *environment,
		     struct buf *out);

/* Of its options for dbt those in `words`, each behind a blank. */
void arguments_write_dbt(const struct arguments *arguments, const struct strv *words,
			 const struct strv *environment, struct buf *out);

/* What another command needs to find the same warehouse, and with `asks` not to ask. */
void arguments_write_where(const struct arguments *arguments, bool asks, struct buf *out);

#endif
