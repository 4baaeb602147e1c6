/* `airlock mirror VERB`: the raw layer below the strategies. A verb is a row. */
#include <string.h>

#include "airlock/format/json.h"
#include "columns.h"
#include "command_internal.h"

/* --- generate --- */

static void write_generated(const json_t *document, struct buf *out)
{
	const json_t *written = js_get_array(document, "written");
	const json_t *left = js_get_array(document, "left");

	for (size_t i = 0; i < json_array_size(written); i++)
		buf_printf(out, "wrote %s\n", json_string_value(json_array_get(written, i)));
	if (json_array_size(written) == 0)
		buf_printf(out, "nothing was written: %zu sources have their raw model\n",
			   json_array_size(js_get_array(document, "mirrored")));
	for (size_t i = 0; i < json_array_size(left); i++)
		buf_printf(out, "left alone %s: %s\n",
			   js_get_string(json_array_get(left, i), "path"),
			   js_get_string(json_array_get(left, i), "why"));
	buf_add_str(out, js_get_string(document, "diff"));
}

static int generate(struct invocation *invocation, struct deploy *deploy, struct err *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	json_t *document;

	if (deploy_mirror_generate(deploy, &document, err) < 0)
		return -1;
	json_object_set_new(document, "version", json_integer(1));
	write_generated(document, &text);
	return command_finish(invocation, &text, document, err);
}

static const struct {
	const char *name;
	command_fn *run;
} verbs[] = {
	{ "generate", generate },
};

int cmd_mirror(struct invocation *invocation, struct err *err)
{
	const char *what = invocation->arguments->what;
	const char *names[ARRAY_LEN(verbs)];
	const char *nearest;

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (what && strcmp(verbs[i].name, what) == 0)
			return command_with_deploy(invocation, verbs[i].run, err);
		names[i] = verbs[i].name;
	}
	if (!what)
		err_set(err, ERR_USAGE, "what about the mirror?");
	else
		err_set(err, ERR_USAGE, "'mirror' does not know '%s'", what);
	nearest = what ? strv_nearest(what, names, ARRAY_LEN(names)) : NULL;
	if (nearest)
		return err_hint(err, "did you mean '%s'?", nearest);
	return err_hint(err, "usage: %s mirror %s", invocation->program,
			invocation->command->usage);
}
