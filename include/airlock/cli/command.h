/*
 * command: airlock's own verbs, one row each, sorted by name. A command is a file and a row;
 * help, usage and what the pass-through leaves to us come from the rows.
 *
 * A command returns 0, or -1 with *err set; it writes its result to stdout and prints no error:
 * main does, once. With --json its document is the only thing on stdout; where it fails before
 * it has written one, main writes what failure() makes of the error.
 */
#ifndef AIRLOCK_CLI_COMMAND_H
#define AIRLOCK_CLI_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "airlock/base/err.h"
#include "airlock/base/strv.h"

struct arguments;
struct command;
struct report;

/* What a command is run with. All borrowed. */
struct invocation {
	const char *program; /* "airlock", or "dbt airlock" */
	const char *self;    /* path of this program */
	const struct command *command;
	char *const *words;          /* behind the verb, as they were given; end in NULL */
	struct arguments *arguments; /* NULL: they could not be read */
	const struct strv *environment;
	struct report *report;
	bool replaces_build;      /* it comes in the place of a dbt build */
	const char *artifacts;    /* where that leaves its results; NULL: nowhere */
	bool has_written;         /* the document of --json is out */
	bool has_told_production; /* its result says what became of production */
};

/* A bit for each option id. */
__extension__ typedef unsigned __int128 command_options;

struct command {
	const char *name;
	const char *summary;     /* one line */
	const char *operand;     /* the word it takes, as usage shows it; NULL: none */
	bool takes_id;           /* the operand is the id of a deployment */
	bool takes_more;         /* further operands */
	bool takes_verb;         /* the operand is what is to be done */
	const char *usage;       /* what follows the name */
	const char *details;     /* further lines of help, each ended by a newline; "" for none */
	command_options options; /* command_takes() */
	bool takes_dbt_options;  /* behind `--` */
	bool starts_dbt;         /* children to be supervised */
	bool builds_nothing;     /* of a deployment: staging is published as it is */
	bool publishes;          /* changes production: nothing may end it by accident */
	int (*run)(struct invocation *invocation, struct err *err);
	json_t *(*failure)(const struct invocation *invocation, const struct err *err);
};

const struct command *command_all(size_t *ret_n);
const struct command *command_find(const char *name); /* NULL: none of ours */

#endif
