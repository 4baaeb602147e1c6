#include <stdlib.h>
#include <string.h>

#include "config_internal.h"

void config_init(struct config *config)
{
	*config = (struct config) { .strategy = NULL };
	for (int i = 0; i < OPTION_COUNT; i++)
		if (*option_row((enum option_id)i)->fallback)
			config->values[i].text =
				mem_strdup(option_row((enum option_id)i)->fallback);
}

void config_set_strategy(struct config *config, const char *name)
{
	free(config->strategy);
	config->strategy = mem_strdup(name);
}

void config_release(struct config *config)
{
	for (size_t i = 0; i < ARRAY_LEN(config->values); i++) {
		free(config->values[i].origin);
		free(config->values[i].text);
		strv_release(&config->values[i].list);
	}
	free(config->strategy);
	free(config->deployment);
	*config = (struct config) { .strategy = NULL };
}

static const struct option_value *value_of(const struct config *config, enum option_id id)
{
	if ((size_t)id >= ARRAY_LEN(config->values))
		abort();
	return &config->values[id];
}

/* It reads production's rows in staging, and publishes tables only. */
static bool copies_production(const struct config *config)
{
	return config->strategy && strcmp(config->strategy, "production-rollback") == 0;
}

const char *config_text(const struct config *config, enum option_id id)
{
	const char *text = value_of(config, id)->text;

	/* Rows of production that others add meanwhile would be lost with what was copied. */
	if (id == OPTION_CONFLICT && !config_is_set(config, id) &&
	    (copies_production(config) || config_clones(config)))
		return "content";
	if (!text && id == OPTION_ROUTE)
		return value_of(config, OPTION_TO)->text ? "target" : "tag";
	if (!text && id == OPTION_VIEWS)
		return value_of(config, OPTION_TO)->text && !copies_production(config) ? "rebuild"
										       : "skip";
	return text;
}

bool config_bool(const struct config *config, enum option_id id)
{
	return config_is(config, id, "true");
}

int64_t config_number(const struct config *config, enum option_id id)
{
	const char *text = config_text(config, id);

	return text ? option_number(text) : 0;
}

const struct strv *config_list(const struct config *config, enum option_id id)
{
	static const struct strv none = STRV_INIT;

	return option_is_overruled(config, id) ? &none : &value_of(config, id)->list;
}

bool config_is(const struct config *config, enum option_id id, const char *value)
{
	const char *text = config_text(config, id);

	return text && strcmp(text, value) == 0;
}

const char *config_route(const struct config *config, const char *tag)
{
	const struct strv *pairs = config_list(config, OPTION_ROUTES);
	size_t len = strlen(tag);

	/* Of several for one tag the last one counts. */
	for (size_t i = pairs->n; i > 0; i--)
		if (strncmp(pairs->v[i - 1], tag, len) == 0 && pairs->v[i - 1][len] == '=')
			return pairs->v[i - 1] + len + 1;
	return tag;
}

bool config_rebuilds(const struct config *config)
{
	return config->strategy && strcmp(config->strategy, "wap") == 0 &&
	       config_is(config, OPTION_PUBLISH_BY, "rebuild");
}

bool config_clones(const struct config *config)
{
	return config->strategy && strcmp(config->strategy, "blue-green") == 0 &&
	       config_is(config, OPTION_PREPARE, "clone");
}

bool config_clones_containers(const struct config *config)
{
	return config->strategy && strcmp(config->strategy, "blue-green") == 0 &&
	       strv_contains(config_list(config, OPTION_FOREIGN_OBJECTS), CONFIG_CLONE);
}

bool config_is_set(const struct config *config, enum option_id id)
{
	return value_of(config, id)->source != OPTION_BY_DEFAULT;
}
