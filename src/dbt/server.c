#include "airlock/dbt/server.h"

#include <string.h>

#include "airlock/base/env.h"
#include "airlock/base/fs.h"
#include "airlock/base/mem.h"
#include "runner_internal.h"

#define SCRIPT_LIMIT ((size_t)64 << 10)

/* server.py */
extern const char server_text[];
extern const size_t server_text_len;

/* Takes `expected` off the front. */
static bool skip(const char **at, const char *expected)
{
	size_t len = strlen(expected);

	if (strncmp(*at, expected, len))
		return false;
	*at += len;
	return true;
}

static bool is_python(const char *path)
{
	return path[0] == '/' && !strncmp(fs_basename(path), "python", strlen("python"));
}

/* Quoted by either kind of quotes, or of characters that mean nothing to a shell. */
static char *shell_word(const char **at)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789/._+-@:,";
	size_t len;
	char *word;

	if (skip(at, "\"")) {
		len = strcspn(*at, "\"$`\\\n");
		if ((*at)[len] != '"')
			return NULL;
		word = mem_strndup(*at, len);
		*at += len + 1;
		return word;
	}
	if (skip(at, "'")) {
		len = strcspn(*at, "'\n");
		if ((*at)[len] != '\'')
			return NULL;
		word = mem_strndup(*at, len);
		*at += len + 1;
		return word;
	}
	len = strspn(*at, plain);
	word = mem_strndup(*at, len);
	*at += len;
	return word;
}

static bool find_behind_sh(const char *line, char **ret_interpreter)
{
	char *word;

	if (!skip(&line, "'''exec' "))
		return false;
	word = shell_word(&line);
	if (!word)
		return false;
	if (!is_python(word) || !skip(&line, " \"$0\" \"$@\"\n' '''\n")) {
		mem_free_string(&word);
		return false;
	}
	*ret_interpreter = word;
	return true;
}

/* As the kernel takes the line apart: what stands behind the interpreter is one argument. */
bool server_find_interpreter(const char *script, char **ret_interpreter, char **ret_option)
{
	const char *at = script;
	size_t len, rest;

	if (!skip(&at, "#!"))
		return false;
	at += strspn(at, " \t");
	len = strcspn(at, " \t\n");
	char *interpreter CLEANUP(mem_free_string) = mem_strndup(at, len);

	at += len;
	at += strspn(at, " \t");
	rest = strcspn(at, "\n");
	if (!at[rest])
		return false;
	*ret_option = NULL;
	if (!rest && !strcmp(interpreter, "/bin/sh"))
		return find_behind_sh(at + 1, ret_interpreter);
	if (!is_python(interpreter))
		return false;
	for (len = rest; len && strchr(" \t", at[len - 1]); len--)
		;
	*ret_interpreter = mem_strdup(interpreter);
	if (len)
		*ret_option = mem_strndup(at, len);
	return true;
}

static bool is_switched_off(const struct strv *environment)
{
	static const char *const names[] = { "AIRLOCK_FORK_SERVER", "DBT_AIRLOCK_FORK_SERVER" };
	const char *value = NULL;

	for (size_t i = 0; i < ARRAY_LEN(names) && !value; i++)
		value = env_get(environment, names[i]);
	return value && (!strcmp(value, "0") || !strcmp(value, "false"));
}

static struct forker *start(const char *dbt_path, const struct strv *environment)
{
	static const char boot[] = "import os; exec(os.read(0, 65536), {'__name__': 'airlock'})";
	struct buf script CLEANUP(buf_release) = BUF_INIT;
	struct err ignored CLEANUP(err_release) = ERR_INIT;
	struct strv argv CLEANUP(strv_release) = STRV_INIT;
	char *interpreter CLEANUP(mem_free_string) = NULL;
	char *option CLEANUP(mem_free_string) = NULL;

	/* The server looks closer; this only spares starting it for nothing. */
	if (fs_read(dbt_path, SCRIPT_LIMIT, &script, &ignored) < 0 ||
	    !strstr(buf_cstr(&script), "from dbt.cli.main import cli") ||
	    !server_find_interpreter(buf_cstr(&script), &interpreter, &option))
		return NULL;
	strv_push(&argv, interpreter);
	if (option)
		strv_push(&argv, option);
	strv_push(&argv, "-c");
	strv_push(&argv, boot);
	strv_push(&argv, dbt_path);
	strv_push(&argv, interpreter);
	return forker_start(strv_argv(&argv), strv_argv(environment), server_text, server_text_len);
}

struct runner *runner_server(const char *dbt_path, const struct strv *environment)
{
	struct forker *forker = NULL;

	if (!is_switched_off(environment))
		forker = start(dbt_path, environment);
	return forker ? runner_make("server", dbt_path, forker) : runner_plain(dbt_path);
}
