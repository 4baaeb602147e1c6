/*
 * err: one error on its way from where it happened to main, which prints it once.
 *
 * Life cycle: `struct err err = ERR_INIT;`, err_set() where it happens, err_wrap() on the way
 *             up, err_release(). The last parameter of a function that can fail is
 *             `struct err *err`; it returns 0, or -1 with *err set; success leaves it alone.
 * Ownership:  the caller owns the object; all text is copied.
 * Codes:      one row each in err.def: stable name, exit status, hint, help topic.
 * Messages:   lower case, no full stop, the object in single quotes.
 */
#ifndef AIRLOCK_BASE_ERR_H
#define AIRLOCK_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "airlock/base/mem.h"

enum err_code {
	ERR_NONE = 0,
#define ERR(id, name, exit_status, hint, topic) ERR_##id,
#include "airlock/base/err.def"
#undef ERR
	ERR_CODE_COUNT,
};

enum err_production {
	ERR_PRODUCTION_UNCHANGED = 0,
	ERR_PRODUCTION_CHANGED,
	ERR_PRODUCTION_UNKNOWN,
};

struct err {
	enum err_code code;
	enum err_production production;
	int exit_status; /* 0: the code's own */
	char *message;
	char *hint; /* NULL: the code's own */
};

#define ERR_INIT                                                                                   \
	{                                                                                          \
		0                                                                                  \
	}

/* A row of err.def. `hint` and `topic` are "" where there is none. */
struct err_row {
	const char *name;
	int exit_status;
	const char *hint;
	const char *topic;
};

const struct err_row *err_row(enum err_code code);

void err_release(struct err *err);
bool err_is_set(const struct err *err);

/* Both return -1, so that `return err_set(err, ...)` reads well. A second err_set on an error
 * that is set replaces it, hint and exit status too; `production` stays until err_release().
 * err_wrap() puts "text: " in front of the message. */
int err_set(struct err *err, enum err_code code, const char *format, ...) PRINTF_LIKE(3, 4);
int err_wrap(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* Replaces the hint of the code. Returns -1. */
int err_hint(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);

/*
 * The exit status of the process: err->exit_status, else the code's; but 70 or 71 when production
 * is changed or unknown and that status would claim otherwise (1, 2 and 125; 73 when it is
 * changed).
 */
int err_exit_status(const struct err *err);

#endif
