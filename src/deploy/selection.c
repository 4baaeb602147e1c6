#include "airlock/deploy/selection.h"

#include <stddef.h>

bool selection_is_given(const struct config *config)
{
	return config_is_set(config, OPTION_SELECT) || config_is_set(config, OPTION_EXCLUDE) ||
	       config_is_set(config, OPTION_SELECTOR);
}

static int check(const struct config *config, const char *project_directory, struct err *err)
{
	const char *selector = config_text(config, OPTION_SELECTOR);

	if (!selector)
		return 0;
	if (config_is_set(config, OPTION_SELECT) || config_is_set(config, OPTION_EXCLUDE))
		return err_set(err, ERR_CONFIG_INVALID,
			       "'selector: %s' comes instead of 'select' and 'exclude', which are "
			       "given too",
			       selector);
	if (!project_directory)
		return err_set(err, ERR_CONFIG_INVALID,
			       "'selector: %s' is looked up in the selectors.yml of a project, and "
			       "--manifest names none",
			       selector);
	return 0;
}

int selection_answer(const struct config *config, const struct manifest *manifest,
		     const char *project_directory, struct strv *ret_unique_ids,
		     enum select_answer *ret_answer, struct err *err)
{
	const struct strv *select = config_list(config, OPTION_SELECT);
	const struct strv *exclude = config_list(config, OPTION_EXCLUDE);
	struct selectors *selectors = NULL;
	int rc;

	if (check(config, project_directory, err) < 0)
		return -1;
	if (!config_is_set(config, OPTION_SELECTOR))
		return select_nodes(manifest, select, exclude, project_directory, ret_unique_ids,
				    ret_answer, err);
	if (selectors_read(project_directory, &selectors, err) < 0)
		return -1;
	rc = select_selector(manifest, selectors, config_text(config, OPTION_SELECTOR),
			     project_directory, ret_unique_ids, ret_answer, err);
	selectors_free(selectors);
	return rc;
}

static void push_words(struct strv *arguments, const char *option, const struct strv *words)
{
	if (words->n > 0)
		strv_push(arguments, option);
	strv_push_all(arguments, words);
}

void selection_push_options(const struct config *config, struct strv *arguments)
{
	if (config_is_set(config, OPTION_SELECTOR)) {
		strv_push(arguments, "--selector");
		strv_push(arguments, config_text(config, OPTION_SELECTOR));
		return;
	}
	push_words(arguments, "--select", config_list(config, OPTION_SELECT));
	push_words(arguments, "--exclude", config_list(config, OPTION_EXCLUDE));
}
