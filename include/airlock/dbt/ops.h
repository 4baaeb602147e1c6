/*
 * ops: SQL through dbt. A list of calls goes to the warehouse as one `dbt run-operation` of a
 * small generated project (no models, no hooks, no flags of the user's project), and the rows
 * of the calls that ask for them come back.
 *
 * Each call is one run_query(): one string sent to the adapter, committed by it unless the call
 * is part of a transaction (ops_transaction()). A wanted answer must be one text column; each
 * row is a JSON document (made by the warehouse, so that no type is lost).
 * Queries may be guarded by the query before them: unless that brought a row they are not run, and
 * their rows stay NULL.
 * Before the first statement the operation compares the md5 of every string with the one that
 * airlock put beside it, and stops if they differ. Answers travel in print events in
 * pieces of 32 KB with nonce, call, piece and count; one that is missing is ERR_NO_ANSWER, never
 * success.
 *
 * Life cycle: ops_open() once per side, ops_init(), ops_add*(), ops_run(), ops_release().
 * Ownership:  texts are copied.
 * Errors:     ERR_WAREHOUSE with the database's message when a statement failed; the reply then
 *             says how many calls were answered. ERR_DBT_FAILED, ERR_NO_ANSWER.
 */
#ifndef AIRLOCK_DBT_OPS_H
#define AIRLOCK_DBT_OPS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "airlock/base/buf.h"
#include "airlock/base/err.h"
#include "airlock/base/strv.h"
#include "airlock/dbt/runner.h"
#include "airlock/warehouse/dialect.h"

struct ops_call {
	char *sql;
	bool wants_rows;
	bool in_transaction; /* commits together with its neighbours, or is a transaction itself */
	bool is_guarded;     /* run only if the last call before it that is not brought a row */
	bool is_of_session; /* sets something: first in every session that runs what is behind it */
	/* Chains of one group may run side by side, each in its order; 0: it stands alone. */
	size_t group, chain;
};

struct ops {
	struct ops_call *calls;
	size_t n;
	size_t cap;
};

#define OPS_INIT                                                                                   \
	{                                                                                          \
		0                                                                                  \
	}

void ops_release(struct ops *ops);
void ops_add(struct ops *ops, const char *sql);         /* rows are not wanted */
size_t ops_add_query(struct ops *ops, const char *sql); /* the number of the call */

/* The calls from `first` on are guarded by the one before it, which must be a query. */
void ops_guard_from(struct ops *ops, size_t first);
/* The call that guards this one; itself where nothing does. */
size_t ops_guard(const struct ops *ops, size_t call);

/* Statements that commit together, in the form that the dialect needs. */
void ops_add_transaction(struct ops *ops, const struct dialect *dialect,
			 const struct strv *statements);

/* The connection: which profile and target, and where the generated project lives. */
struct ops_connection {
	const char *directory;      /* <target dir>/airlock/ops, absolute */
	const char *profile;        /* name of the profile */
	const char *target;         /* NULL: the profile's default */
	const char *folder;         /* of its target path; NULL: called as the target */
	const struct strv *options; /* --profiles-dir, --profile, --vars, ... for every start */
	const struct strv *environment;
	struct runner *runner;
	int64_t timeout_ms; /* 0: none of its own */
	/* Called every beat_ms while an operation runs; NULL: not. What it runs itself does not
	 * beat.
	 */
	void (*on_beat)(void *context);
	void *beat_context;
	int64_t beat_ms;
	/* JSON of the labels that the service keeps of each statement, {"key": "value"}. NULL: it
	 * keeps none. */
	const char *job_label;
	/* SQL in front of each query, that concerns nothing else. NULL: none. */
	const char *query_setting;
	/* SQL in front of each statement while that file is there. NULL: none. */
	const char *prologue;
	const char *prologue_file;
};

struct ops_reply {
	json_t **rows; /* per call: array of documents, NULL when not wanted or not answered */
	size_t n;
	bool finished;     /* the operation reached its end */
	size_t calls_done; /* how many calls are known to have been answered */
};

void ops_reply_release(struct ops_reply *reply);

/*
 * `hold_signals` for a publish. *ret_reply is written on success and on failure alike (what is
 * known of it), so that the caller can tell what happened.
 */
int ops_run(const struct ops_connection *connection, const struct ops *ops, bool hold_signals,
	    void (*on_start)(void *context, pid_t pid), void *context, struct ops_reply *ret_reply,
	    struct err *err);

/*
 * Several side by side, none of them empty, each as ops_run() would: a reply and an error of its
 * own (n each, errors that are not set). All have ended when it returns: -1 when one has failed.
 * Where one cannot begin none does.
 */
int ops_run_all(const struct ops_connection *connection, const struct ops *lists, size_t n,
		bool hold_signals, void (*on_start)(void *context, pid_t pid), void *context,
		struct ops_reply *ret_replies, struct err *ret_errs);

/* The text of the macro file, for tests. */
void ops_write_macro(const struct ops *ops, const char *nonce, struct buf *out);

/* A string as a double-quoted Jinja literal: \\ \" \n \r \t escaped, other controls \u00XX. */
void ops_jinja_literal(struct buf *out, const char *s);

#endif
