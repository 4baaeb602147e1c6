#include "airlock/base/err.h"

#include <stdlib.h>
#include <string.h>

enum {
	EXIT_PRODUCTION_CHANGED = 70,
	EXIT_PRODUCTION_UNKNOWN = 71,
	EXIT_CONFLICT = 73,
};

static const struct err_row rows[ERR_CODE_COUNT] = {
	[ERR_NONE] = { "", 0, "", "" },
#define ERR(id, name, exit_status, hint, topic) [ERR_##id] = { name, exit_status, hint, topic },
#include "airlock/base/err.def"
#undef ERR
};

const struct err_row *err_row(enum err_code code)
{
	if ((size_t)code >= ARRAY_LEN(rows))
		abort();
	return &rows[code];
}

void err_release(struct err *err)
{
	free(err->message);
	free(err->hint);
	*err = (struct err)ERR_INIT;
}

bool err_is_set(const struct err *err)
{
	return err->code != ERR_NONE;
}

/*
 * What is known of production outlives the error that said so: only err_release() forgets it. An
 * exit status given in advance is kept too, that of a replaced error is not.
 */
int err_set(struct err *err, enum err_code code, const char *format, ...)
{
	va_list ap;
	char *message;

	/* Before the old text goes: it may be among the arguments. */
	va_start(ap, format);
	message = mem_vprintf(format, ap);
	va_end(ap);
	if (err_is_set(err))
		err->exit_status = 0;
	free(err->message);
	free(err->hint);
	err->code = code;
	err->message = message;
	err->hint = NULL;
	return -1;
}

int err_wrap(struct err *err, const char *format, ...)
{
	va_list ap;
	char *text, *message;

	va_start(ap, format);
	text = mem_vprintf(format, ap);
	va_end(ap);
	if (!err_is_set(err))
		err_set(err, ERR_INTERNAL, "failed without a reason");
	message = mem_printf("%s: %s", text, err->message);
	free(text);
	free(err->message);
	err->message = message;
	return -1;
}

int err_hint(struct err *err, const char *format, ...)
{
	va_list ap;
	char *hint;

	va_start(ap, format);
	hint = mem_vprintf(format, ap);
	va_end(ap);
	free(err->hint);
	err->hint = hint;
	return -1;
}

static bool claims_production_untouched(int exit_status)
{
	return exit_status == 1 || exit_status == 2 || exit_status == 125;
}

int err_exit_status(const struct err *err)
{
	int own = err->exit_status ? err->exit_status : err_row(err->code)->exit_status;

	if (!claims_production_untouched(own) &&
	    !(own == EXIT_CONFLICT && err->production == ERR_PRODUCTION_CHANGED))
		return own;
	switch (err->production) {
	case ERR_PRODUCTION_CHANGED:
		return EXIT_PRODUCTION_CHANGED;
	case ERR_PRODUCTION_UNKNOWN:
		return EXIT_PRODUCTION_UNKNOWN;
	case ERR_PRODUCTION_UNCHANGED:
		break;
	}
	return own;
}
