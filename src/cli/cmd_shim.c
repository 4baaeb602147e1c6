#include <string.h>

#include "airlock/base/fs.h"
#include "airlock/dbt/find.h"
#include "columns.h"
#include "command_internal.h"

static bool is_us(const struct invocation *invocation, const char *path)
{
	return find_is_airlock(path, invocation->self);
}

static const char *kind_of(const struct invocation *invocation, const char *path)
{
	return is_us(invocation, path) ? "airlock" : "dbt";
}

/* Each dbt on PATH, the first of them the one that is called. `directory`: of the link, or NULL. */
static int write_status(struct invocation *invocation, const char *directory, struct err *err)
{
	char *const *environment = strv_argv(invocation->environment);
	CLEANUP(strv_release) struct strv paths = STRV_INIT;
	CLEANUP(columns_release) struct columns columns = COLUMNS_INIT;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(mem_free_string) char *real = NULL;

	find_all(environment, &paths);
	for (size_t i = 0; i < paths.n; i++) {
		columns_add(&columns, "%s", kind_of(invocation, paths.v[i]));
		columns_add(&columns, "%s%s", paths.v[i], i ? "" : "  (what 'dbt' means)");
		columns_end_row(&columns);
	}
	columns_write(&columns, "", &text);
	if (report_result(invocation->report, buf_cstr(&text), text.len, err) < 0)
		return -1;
	real = find_dbt(environment, invocation->self, err);
	if (!real)
		return -1;
	if (paths.n && is_us(invocation, paths.v[0])) {
		report_notice(invocation->report, "'dbt' is airlock, and the real one is '%s'",
			      real);
		return 0;
	}
	err_set(err, ERR_USAGE, "'dbt' is not airlock: what is called so is '%s'",
		paths.n ? paths.v[0] : "nothing");
	return err_hint(err,
			"put the directory of the link in front of PATH: export "
			"PATH=%s:$PATH, then start a new shell or say 'hash -r'",
			directory ? directory : "DIR");
}

static int install(struct invocation *invocation, const char *directory, struct err *err)
{
	CLEANUP(mem_free_string) char *absolute = fs_absolute(directory);
	CLEANUP(mem_free_string) char *link = fs_join(absolute, "dbt");
	CLEANUP(mem_free_string) char *self = fs_real(invocation->self);

	if (!fs_is_directory(absolute))
		return err_set(err, ERR_USAGE, "there is no directory '%s'", absolute);
	if (!is_us(invocation, link)) {
		if (fs_exists(link) || fs_is_symlink(link)) {
			err_set(err, ERR_USAGE, "'%s' is another dbt: it is not replaced", link);
			return err_hint(err, "take a directory of its own, and put it in front of "
					     "PATH");
		}
		if (!self || fs_symlink(self, link, err) < 0)
			return self ? -1
				    : err_set(err, ERR_FILE, "'%s' cannot be found",
					      invocation->self);
	}
	report_notice(invocation->report, "'%s' is airlock", link);
	return write_status(invocation, absolute, err);
}

static int take_away(struct invocation *invocation, const char *directory, struct err *err)
{
	CLEANUP(mem_free_string) char *absolute = fs_absolute(directory);
	CLEANUP(mem_free_string) char *link = fs_join(absolute, "dbt");

	if (!is_us(invocation, link) || !fs_is_symlink(link)) {
		err_set(err, ERR_USAGE, "'%s' is no link to this airlock: it is left alone", link);
		return err_hint(err, "'airlock shim status' lists each dbt on PATH");
	}
	if (fs_remove(link, err) < 0)
		return -1;
	report_notice(invocation->report, "'%s' is removed", link);
	return 0;
}

int cmd_shim(struct invocation *invocation, struct err *err)
{
	const struct arguments *arguments = invocation->arguments;
	const char *verb = arguments->what ? arguments->what : "";
	const char *directory = arguments->more.n ? arguments->more.v[0] : NULL;
	bool is_status = strcmp(verb, "status") == 0;
	bool is_install = strcmp(verb, "install") == 0;

	if ((!is_status && !is_install && strcmp(verb, "remove") != 0) ||
	    arguments->more.n != (is_status ? 0 : 1)) {
		err_set(err, ERR_USAGE, "'shim' takes 'install DIR', 'remove DIR' or 'status'");
		return err_hint(err, "'%s help shim' says more", invocation->program);
	}
	if (is_status)
		return write_status(invocation, NULL, err);
	return (is_install ? install : take_away)(invocation, directory, err);
}
