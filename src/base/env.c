#include "airlock/base/env.h"

#include <stdlib.h>
#include <string.h>

static bool is_named(const char *entry, const char *name, size_t len)
{
	return strncmp(entry, name, len) == 0 && entry[len] == '=';
}

void env_copy(struct strv *ret_env, char *const *environment)
{
	struct strv env = STRV_INIT;

	for (; environment && *environment; environment++)
		strv_push(&env, *environment);
	*ret_env = env;
}

void env_set(struct strv *env, const char *name, const char *value)
{
	/* Before the old entry goes: value may be what env_get() returned. */
	char *entry = mem_printf("%s=%s", name, value);

	env_unset(env, name);
	strv_take(env, entry);
}

/* An environment may hold a name more than once: programs differ in which one they see. */
void env_unset(struct strv *env, const char *name)
{
	size_t len = strlen(name);
	size_t kept = 0;

	for (size_t i = 0; i < env->n; i++) {
		if (is_named(env->v[i], name, len))
			free(env->v[i]);
		else
			env->v[kept++] = env->v[i];
	}
	env->n = kept;
	if (env->v)
		env->v[kept] = NULL;
}

const char *env_get(const struct strv *env, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < env->n; i++)
		if (is_named(env->v[i], name, len))
			return env->v[i] + len + 1;
	return NULL;
}
