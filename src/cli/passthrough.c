#include "airlock/cli/passthrough.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "airlock/base/env.h"
#include "airlock/base/fs.h"
#include "airlock/base/proc.h"
#include "airlock/cli/command.h"
#include "airlock/dbt/find.h"

enum {
	DEPTH_MAX = 8,
	DEPTH_DIGITS = 6,
};

static bool is_ours(const char *word)
{
	static const char *const flags[] = { "-h", "--help", "--version" };

	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (strcmp(word, flags[i]) == 0)
			return true;
	return command_find(word) != NULL;
}

void passthrough_decide(char *const *argv, struct passthrough *ret_passthrough)
{
	char *const *words = argv[0] ? argv + 1 : argv;
	bool as_dbt = argv[0] && strcmp(fs_basename(argv[0]), "dbt") == 0;
	bool ours;

	if (as_dbt) {
		ours = words[0] && strcmp(words[0], "airlock") == 0;
		words += ours;
	} else {
		ours = !words[0] || is_ours(words[0]);
	}
	if ((ours || !as_dbt) && words[0] && strcmp(words[0], "dbt") == 0) {
		ours = false;
		words++;
	}
	*ret_passthrough = (struct passthrough) {
		.to_dbt = !ours,
		.program = as_dbt ? "dbt airlock" : "airlock",
		.words = words,
	};
}

static unsigned long depth_of(const struct strv *environment)
{
	const char *text = env_get(environment, PASSTHROUGH_DEPTH);
	size_t digits = text ? strspn(text, "0123456789") : 0;

	if (!digits || text[digits])
		return 0;
	return digits > DEPTH_DIGITS ? DEPTH_MAX + 1 : strtoul(text, NULL, 10);
}

int passthrough_deepen(struct strv *environment, struct err *err)
{
	unsigned long depth = depth_of(environment);
	CLEANUP(mem_free_string) char *deeper = mem_printf("%lu", depth + 1);

	if (depth > DEPTH_MAX) {
		err_set(err, ERR_CONFIG_INVALID,
			"the dbt that is found leads back to airlock: '" PASSTHROUGH_DEPTH
			"' is '%s'",
			env_get(environment, PASSTHROUGH_DEPTH));
		return err_hint(err, "let AIRLOCK_DBT name the real dbt");
	}
	env_set(environment, PASSTHROUGH_DEPTH, deeper);
	return 0;
}

/*
 * dbt 2.x asks every native `dbt` on PATH which distribution it is. When the one that we have
 * started asks us, its own answer would ask again, without end; left without an answer it asks for
 * --version.
 */
static bool is_asked_from_inside(char *const *words, const struct strv *environment)
{
	return depth_of(environment) > 1 && words[0] && strcmp(words[0], "internal") == 0 &&
	       words[1] && strcmp(words[1], "get-distribution-info") == 0;
}

int passthrough_exec(char *const *words, const struct strv *environment, const char *self,
		     struct err *err)
{
	CLEANUP(mem_free_string) char *dbt = NULL;
	CLEANUP(strv_release) struct strv argv = STRV_INIT;
	int reason;

	if (is_asked_from_inside(words, environment))
		return err_set(err, ERR_USAGE, "airlock is no distribution of dbt");
	dbt = find_dbt(strv_argv(environment), self, err);
	if (!dbt)
		return -1;
	strv_push(&argv, fs_basename(dbt)); /* as a shell has it, which found it by its name */
	for (size_t i = 0; words[i]; i++)
		strv_push(&argv, words[i]);
	proc_exec(dbt, strv_argv(&argv), strv_argv(environment));
	reason = errno;
	if (reason == ENOENT && !fs_exists(dbt))
		return err_set(err, ERR_DBT_NOT_FOUND, "'%s' is gone", dbt);
	err_set(err, ERR_DBT_NOT_EXECUTABLE, "cannot run '%s': %s", dbt, strerror(reason));
	if (reason == ENOENT)
		err_hint(err, "the program named in its first line does not exist");
	return -1;
}
