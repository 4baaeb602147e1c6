#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "airlock/base/env.h"
#include "config_support.h"

static void open_project(const char *vars, struct project *ret_project)
{
	CLEANUP(err_release) struct err err = ERR_INIT;
	CLEANUP(mem_free_string)
	char *text = mem_printf("name: shop\nvars:\n%s", vars ? vars : "  other: 1\n");

	*ret_project = (struct project) { .name = NULL };
	if (yaml_parse(text, strlen(text), "/p/dbt_project.yml", &ret_project->document, &err) < 0)
		fail_msg("%s", err.message);
	ret_project->name = "shop";
}

static int set_arguments(struct config *config, const char *arguments, struct err *err)
{
	CLEANUP(strv_release) struct strv words = STRV_INIT;

	strv_split(&words, arguments, " ");
	for (size_t i = 0; i < words.n; i++) {
		bool negated;
		const struct option_row *row = option_find(words.v[i], &negated);
		bool alone;

		assert_non_null(row);
		alone = row->type == OPTION_FLAG || row->type == OPTION_BOOL;
		if (config_set_argument(config, row, negated,
					alone || i + 1 == words.n ? NULL : words.v[++i], err) < 0)
			return -1;
	}
	return 0;
}

int configure(const struct input *input, struct config *config, struct err *err)
{
	CLEANUP(strv_release) struct strv variables = STRV_INIT;
	CLEANUP(project_release) struct project project;
	int rc = 0;

	open_project(input->project, &project);
	config_init(config);
	if (input->variables)
		strv_split(&variables, input->variables, " ");
	/* From the strongest to the weakest: the order must not matter. */
	if (input->arguments)
		rc = set_arguments(config, input->arguments, err);
	if (!rc)
		rc = config_set_environment(config, &variables, err);
	if (!rc)
		rc = config_set_project(config, &project, input->vars, input->what, err);
	return rc;
}

void accepts(const struct input *input, struct config *config)
{
	CLEANUP(err_release) struct err err = ERR_INIT;

	if (configure(input, config, &err) < 0)
		fail_msg("refused: %s", err.message);
}

void refuses(const struct input *input, enum err_code code, const char *message, const char *hint)
{
	CLEANUP(err_release) struct err err = ERR_INIT;
	CLEANUP(config_release) struct config config;

	if (configure(input, &config, &err) == 0)
		fail_msg("accepted: %s", message);
	assert_string_equal(err.message, message);
	assert_int_equal(err.code, code);
	if (hint)
		assert_string_equal(err.hint ? err.hint : "", hint);
}

void holds(const struct config *config, enum option_id id, const char *joined, const char *origin)
{
	CLEANUP(mem_free_string) char *text = strv_join(config_list(config, id), "|");

	assert_string_equal(text, joined);
	assert_string_equal(config->values[id].origin, origin);
}
