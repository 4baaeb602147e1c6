#include "airlock/dbt/secret.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "airlock/base/buf.h"
#include "airlock/format/json.h"
#include "airlock/format/yaml.h"

#define HIDDEN "***"
#define OF_DBT "ENV_SECRET" /* dbt 2 has DBT_ENGINE_ENV_SECRET too */

static bool holds_word(const char *name, const char *word)
{
	size_t len = strlen(word);

	for (; *name; name++)
		if (strncasecmp(name, word, len) == 0)
			return true;
	return false;
}

bool secret_is_named(const char *name)
{
	static const char *const words[] = {
		"secret", "passw", "passphrase", "token",      "api_key",
		"apikey", "pwd",   "access_key", "credential", "private_key",
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (holds_word(name, words[i]))
			return true;
	return false;
}

char *secret_shown_pair(const char *pair)
{
	char *name CLEANUP(mem_free_string) = mem_strndup(pair, strcspn(pair, "="));

	return secret_is_named(name) ? mem_printf("%s=" HIDDEN, name) : mem_strdup(pair);
}

struct showing {
	const struct strv *environment;
	bool hides;
};

static bool holds_secret(const struct showing *showing, const char *value)
{
	for (size_t i = 0; i < showing->environment->n; i++) {
		const char *variable = showing->environment->v[i];
		size_t len = strcspn(variable, "=");
		char *name CLEANUP(mem_free_string) = mem_strndup(variable, len);
		const char *secret = variable[len] ? variable + len + 1 : "";

		if (strstr(name, OF_DBT) && *secret && strstr(value, secret))
			return true;
	}
	return false;
}

/* yaml limits the depth of what it reads. */
static json_t *shown(struct showing *showing, const char *key, const struct yaml_node *node)
{
	json_t *result = NULL;

	if (node->kind == YAML_KIND_NULL)
		return json_null();
	if ((key && secret_is_named(key)) ||
	    (node->kind == YAML_KIND_SCALAR && holds_secret(showing, node->value))) {
		showing->hides = true;
		return json_string(HIDDEN);
	}
	if (node->kind == YAML_KIND_SCALAR)
		return json_string(node->value);
	result = node->kind == YAML_KIND_MAPPING ? json_object() : json_array();
	for (size_t i = 0; i < node->n; i++) {
		const char *name = node->keys ? node->keys[i]->value : NULL;
		json_t *value = shown(showing, name, node->items[i]);

		if (node->kind == YAML_KIND_MAPPING)
			json_object_set_new(result, name ? name : "", value);
		else
			json_array_append_new(result, value);
	}
	return result;
}

bool secret_show_vars(const char *text, const struct strv *environment, char **ret_shown)
{
	struct showing showing = { .environment = environment };
	struct yaml_document document = { .root = NULL };
	struct err ignored CLEANUP(err_release) = ERR_INIT;
	struct buf line CLEANUP(buf_release) = BUF_INIT;

	if (yaml_parse(text, strlen(text), "--vars", &document, &ignored) < 0) {
		*ret_shown = mem_strdup(HIDDEN);
		return true;
	}
	json_t *object CLEANUP(js_free) = shown(&showing, NULL, document.root);

	yaml_release(&document);
	if (showing.hides)
		js_write_line(object, &line);
	*ret_shown = mem_strndup(showing.hides ? buf_cstr(&line) : text,
				 showing.hides ? strcspn(buf_cstr(&line), "\n") : strlen(text));
	return showing.hides;
}
