#include <inttypes.h>

#include "airlock/base/env.h"
#include "airlock/dbt/project.h"
#include "airlock/dbt/secret.h"
#include "columns.h"
#include "command_internal.h"

static const char *source_name(enum option_source source)
{
	switch (source) {
	case OPTION_BY_DEFAULT:
		return "default";
	case OPTION_BY_PROJECT:
		return "project";
	case OPTION_BY_DEPLOYMENT:
		return "deployment";
	case OPTION_BY_ENVIRONMENT:
		return "environment";
	case OPTION_BY_COMMAND_LINE:
		return "command line";
	}
	return "";
}

static json_t *list_json(const struct strv *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->n; i++)
		json_array_append_new(array, report_string_json(list->v[i]));
	return array;
}

/* As they may be printed. */
static void show_words(const struct config *config, const struct option_row *row,
		       struct strv *ret_shown)
{
	const struct strv *words = config_list(config, row->id);

	for (size_t i = 0; i < words->n; i++)
		strv_take(ret_shown, row->type == OPTION_ENVIRONMENT
					     ? secret_shown_pair(words->v[i])
					     : mem_strdup(words->v[i]));
}

static json_t *value_json(const struct config *config, const struct option_row *row)
{
	const char *text = config_text(config, row->id);
	CLEANUP(strv_release) struct strv words = STRV_INIT;

	switch (row->type) {
	case OPTION_BOOL:
	case OPTION_FLAG:
		return json_boolean(config_bool(config, row->id));
	case OPTION_SECONDS:
	case OPTION_PERCENT:
	case OPTION_NUMBER:
		return json_integer(config_number(config, row->id));
	case OPTION_ENVIRONMENT:
	case OPTION_LIST:
	case OPTION_WORDS:
	case OPTION_MAP:
		show_words(config, row, &words);
		return list_json(&words);
	case OPTION_STRING:
	case OPTION_ENUM:
	case OPTION_DURATION:
		break;
	}
	return text ? report_string_json(text) : json_null();
}

static json_t *option_json(const struct config *config, const struct option_row *row)
{
	const struct option_value *value = &config->values[row->id];

	return json_pack("{s:s, s:o, s:s, s:o}", "key", row->key, "value", value_json(config, row),
			 "source", source_name(value->source), "origin",
			 value->origin ? report_string_json(value->origin) : json_null());
}

static json_t *document_of(const struct config *config)
{
	json_t *options = json_array();

	for (size_t i = 0; i < OPTION_COUNT; i++)
		json_array_append_new(options, option_json(config, option_row((enum option_id)i)));
	return json_pack("{s:i, s:s, s:o, s:o}", "version", 1, "strategy", config->strategy,
			 "deployment",
			 *config->deployment ? report_string_json(config->deployment) : json_null(),
			 "options", options);
}

static void write_text(const struct config *config, struct buf *out)
{
	CLEANUP(columns_release) struct columns columns = COLUMNS_INIT;

	columns_add(&columns, "strategy");
	columns_add(&columns, "%s", config->strategy);
	columns_add(&columns, "%s%s%s", *config->deployment ? "deployment '" : "",
		    config->deployment, *config->deployment ? "'" : "");
	columns_end_row(&columns);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *row = option_row((enum option_id)i);
		const struct option_value *value = &config->values[i];
		const char *text = config_text(config, row->id);
		CLEANUP(strv_release) struct strv shown = STRV_INIT;
		CLEANUP(mem_free_string) char *joined = NULL;

		show_words(config, row, &shown);
		joined = strv_join(&shown, " ");

		columns_add(&columns, "%s", row->key);
		columns_add(&columns, "%s", text ? text : *joined ? joined : "-");
		columns_add(&columns, "%s", value->origin ? value->origin : "default");
		columns_end_row(&columns);
	}
	columns_write(&columns, "", out);
}

int command_open_project(const struct invocation *invocation, struct project *ret_project,
			 struct err *err)
{
	const struct arguments *arguments = invocation->arguments;
	const char *directory = config_text(&arguments->config, OPTION_PROJECT_DIR);
	const char *variable = cmdline_variable(invocation->environment, "PROJECT_DIR");

	if (!directory)
		directory = arguments->cmdline.project_dir;
	return project_open(directory, variable, ret_project, err);
}

int cmd_config(struct invocation *invocation, struct err *err)
{
	struct arguments *arguments = invocation->arguments;
	struct config *config = &arguments->config;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(project_release) struct project project = { .name = NULL };

	if (command_open_project(invocation, &project, err) < 0 ||
	    config_set_environment(config, invocation->environment, err) < 0 ||
	    config_set_project(config, &project, arguments->cmdline.vars, arguments->what, err) < 0)
		return -1;
	write_text(config, &text);
	return command_finish(invocation, &text, document_of(config), err);
}
