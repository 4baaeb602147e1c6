/*
 * server_support: a directory with a `dbt` that an installer might have written, and commands of
 * the fake package behind it. One world at a time.
 */
#ifndef AIRLOCK_TEST_SERVER_SUPPORT_H
#define AIRLOCK_TEST_SERVER_SUPPORT_H

#include <stdbool.h>
#include <sys/types.h>

#include "airlock/base/buf.h"
#include "airlock/base/strv.h"
#include "airlock/dbt/server.h"

#define FAKE_PACKAGE AIRLOCK_SOURCE_DIR "/test/unit/fake_package"

/* What installers write behind the first line. */
#define FAKE_BODY                                                                                  \
	"# -*- coding: utf-8 -*-\n"                                                                \
	"import re\n"                                                                              \
	"import sys\n"                                                                             \
	"from dbt.cli.main import cli\n"                                                           \
	"if __name__ == '__main__':\n"                                                             \
	"    sys.argv[0] = re.sub(r'(-script\\.pyw|\\.exe)?$', '', sys.argv[0])\n"                 \
	"    sys.exit(cli())\n"

struct world {
	char directory[40];
	char *dbt;
	char *python;
	struct strv environment;
};

extern struct world world;

int world_setup(void **state);
int world_teardown(void **state);
void world_write_dbt(const char *first_lines, const char *body);

#define WORLD_CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

/* One command, and what it says. */
struct said {
	struct buf text; /* its lines */
	struct runner_result result;
	pid_t pid;
	pid_t server;       /* whoever started it, when it says so */
	int kill_server_at; /* lines until then; 0: never */
	int send;           /* to ourselves, at the first line */
	int send_again;
};

void said_release(struct said *said);

struct runner_command command_of(const struct strv *arguments, struct said *said);
int tell(struct runner *runner, const char *verb, const char *argument, struct said *said);

struct runner *serve(void);
void runner_release(struct runner **runner);
bool is_served(struct runner *runner); /* runs a command to find out */
bool is_plain(struct runner *runner);

#endif
