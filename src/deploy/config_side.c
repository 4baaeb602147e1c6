/* The two sides as the options describe them: a target, and the environment that dbt sees there. */
#include <stdlib.h>
#include <string.h>

#include "airlock/base/buf.h"
#include "airlock/base/env.h"
#include "airlock/base/md5.h"
#include "config_internal.h"

enum { HASH_SHOWN = 8 };

enum option_id option_environment_of(enum option_id side)
{
	return side == OPTION_FROM ? OPTION_FROM_ENV : OPTION_TO_ENV;
}

bool option_is_overruled(const struct config *config, enum option_id id)
{
	enum option_id side = id == OPTION_FROM_ENV ? OPTION_FROM : OPTION_TO;

	return (id == OPTION_FROM_ENV || id == OPTION_TO_ENV) &&
	       config->values[id].source < config->values[side].source;
}

void config_side_environment(const struct config *config, enum option_id side,
			     struct strv *environment)
{
	const struct strv *pairs = config_list(config, option_environment_of(side));

	for (size_t i = 0; i < pairs->n; i++) {
		char *name CLEANUP(mem_free_string) =
			mem_strndup(pairs->v[i], strcspn(pairs->v[i], "="));

		env_set(environment, name, pairs->v[i] + strlen(name) + 1);
	}
}

char *config_side_name(const struct config *config, enum option_id side)
{
	const char *target = config_text(config, side);
	struct strv environment CLEANUP(strv_release) = STRV_INIT;
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	char sum[MD5_HEX_SIZE];

	config_side_environment(config, side, &environment);
	if (!target || environment.n == 0)
		return target ? mem_strdup(target) : NULL;
	strv_sort(&environment);
	for (size_t i = 0; i < environment.n; i++)
		buf_add(&text, environment.v[i], strlen(environment.v[i]) + 1);
	md5_hex(buf_cstr(&text), text.len, sum);
	return mem_printf("%s-%.*s", target, HASH_SHOWN, sum);
}

char *config_side_words(const struct config *config, enum option_id side)
{
	struct strv environment CLEANUP(strv_release) = STRV_INIT;
	struct buf text = BUF_INIT;

	config_side_environment(config, side, &environment);
	strv_sort(&environment);
	for (size_t i = 0; i < environment.n; i++)
		buf_printf(&text, "%s%.*s", i ? ", " : "", (int)strcspn(environment.v[i], "="),
			   environment.v[i]);
	return buf_take(&text);
}
