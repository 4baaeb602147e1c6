/*
 * dialect: one row per warehouse: how names are written, what it can do, its SQL.
 *
 * A warehouse is its files (dialect_<name>.c, publish_<name>.c, <name>_observe.sql) and a row in
 * dialect.c; its goldens come with it. Text only: nothing here talks to a warehouse.
 * Ownership: everything is static.
 */
#ifndef AIRLOCK_WAREHOUSE_DIALECT_H
#define AIRLOCK_WAREHOUSE_DIALECT_H

#include <stdbool.h>
#include <stddef.h>

#include "airlock/base/err.h"
#include "airlock/base/strv.h"
#include "airlock/warehouse/container.h"
#include "airlock/warehouse/sql.h"
#include "airlock/warehouse/table.h"

/* How several statements become one transaction (measured, see dialect_*.c). */
enum dialect_transaction {
	DIALECT_TRANSACTION_CALLS = 1, /* begin, each statement and commit are calls of their own */
	DIALECT_TRANSACTION_STRING,    /* one string with all of them */
	/* There is none for what changes tables: each statement commits by itself. */
	DIALECT_TRANSACTION_NONE,
};

/*
 * The statements that every warehouse has, with their arguments. Binds are id, name, user, host,
 * boot, pid, start, since, phase, nonce, lease. Those marked ? answer with one text column of JSON.
 */
enum dialect_template {
	DIALECT_OBSERVE_SESSION,   /* ? {"user", "database", "version"} */
	DIALECT_OBSERVE_SCHEMAS,   /* ? names; {"database", "schema"} of each that exists */
	DIALECT_OBSERVE_RELATIONS, /* ? names; struct table as JSON */
	/* ? the same, and a hash of the rows in any order as "content" */
	DIALECT_OBSERVE_CONTENT,
	DIALECT_OBSERVE_ROWS, /* ? names, relation; {"database", .., "rows", "content", "object"} */
	/* ? from:relation, to:relation, key:ident, database, in_schema, identifier:literal of `to`:
	 * {"database", .., "lost"}: how many of the rows of `to` have a key that no row of `from`
	 * has */
	DIALECT_OBSERVE_HISTORY,
	/* ? database, in_schema, identifier:literal, project, region: who may what with one
	 * relation, given for itself: {"database", .., "privileges"}, struct table's, or null: it
	 * cannot be read. NULL where no publish can lose them unseen. */
	DIALECT_OBSERVE_PRIVILEGES,
	/* ? database:literal, in_schema:literal, identifier:literal, type:literal (table, view),
	 * it:literal (its name as a statement has it): {"database", .., "ddl"}, struct table's.
	 * NULL where what replaces a relation has its policies too, or there are none. */
	DIALECT_OBSERVE_DDL,
	/* ? log, restore_schema:literal: every table there, and what the history recorded of it;
	 * {"identifier", "object", "comment", "bytes", "id", "at", "age", "restore"}; a schema that
	 * was put aside by an exchange has "schema" for identifier, and as "others" what is in it
	 * that no deployment made. Of `snapshots_a_day` also "snapshot": bool, and "snapshots": how
	 * many were made of that table within a day */
	DIALECT_OBSERVE_RESTORES,
	/* ? names; {"database", "schema", "identifier"} of each that can be read */
	DIALECT_OBSERVE_EXISTING,
	/* ? log, names: of what deployments recorded in the schemas of the names, and is still that
	 * object: {"database", "schema", "identifier", "unique_id", "id"}, and of that deployment
	 * "project", "from" and "to"; none of the names. Where views follow names, "views" may read
	 * it: {"database", "schema", "identifier", "text"}. NULL: that is not asked there */
	DIALECT_OBSERVE_PUBLISHED,
	/* ? log; {"lock"} each lock table, {"side"} tables that a publish builds aside, {"copy"}
	 * side copies of sources, {"unfinished"} ids of deployments without an end */
	DIALECT_OBSERVE_LEFT,
	/* In one transaction: raises unless the restore point is what `maker` made, drops it,
	 * records that. log, restore, restore_schema, identifier, marker, maker, shown, detail,
	 * literals but for the first two; snapshot:statement: the word, or nothing of a copy. */
	DIALECT_RESTORE_CHECK,
	DIALECT_RESTORE_DROP,
	DIALECT_RESTORE_DROPPED,
	/* ? names with 'from' or 'to' as identifier; struct container as JSON of each that exists;
	 * NULL where there are no containers that can be exchanged */
	DIALECT_OBSERVE_CONTAINERS,
	/* ? of:literal, database:literal, identifier:literal, kind:statement, schema: what those
	 * that are made there will be granted; {"future_of", "database", "schema", "grants"}; NULL
	 * where an exchange brings it along or nothing is */
	DIALECT_OBSERVE_FUTURE,
	/* ? of:literal, catalog, database:literal, identifier:literal, kind:literal, it:literal
	 * (its name as a statement says it): {"tags_of", "database", "schema", "tags": [{"schema",
	 * "tag": [..], "value"}, ..]}; NULL where an exchange brings them along or there are none
	 */
	DIALECT_OBSERVE_TAGS,
	/* ? identifier:literal, kind:statement, schema, of production: which dynamic tables in it
	 * refresh themselves; {"refreshes", "schema", "dynamic": [{"schema", "name"}, ..]}, the
	 * oldest first; NULL where `clones_containers` is not */
	DIALECT_OBSERVE_DYNAMIC,
	/* As DIALECT_RESTORE_CHECK and DIALECT_RESTORE_DROP, of a schema that was put aside: the
	 * objects in it that were recorded are dropped one by one, anything else stops it. NULL
	 * like the one above. */
	DIALECT_ASIDE_CHECK,
	DIALECT_ASIDE_DROP,
	/* The same of a database; NULL where none are exchanged. */
	DIALECT_ASIDE_DATABASE_CHECK,
	DIALECT_ASIDE_DATABASE_DROP,
	/* Owners and privileges of what dbt makes anew; NULL where there are none. log, names,
	 * configured:literal: records them, [["schema", "identifier"], ..] of those whose
	 * privileges the project sets itself */
	DIALECT_GRANTS_KEEP,
	DIALECT_GRANTS_BACK, /* log, of:literal: what that deployment recorded, no more and no less
			      */
	/* Marks the statements of the session with the deployment; NULL where a lock waits for
	 * them, or the operation labels each (`labels_jobs`). */
	DIALECT_TAG,
	/* ? project, region: {"running": n}: how many of these the service still has, whoever sent
	 * them; null: it cannot be asked. "jobs" of those that can be cancelled. NULL where a lock
	 * waits for them. */
	DIALECT_RUNNING,
	DIALECT_CANCEL, /* job:literal: one of them; NULL where it is not done */
	/* log, catalog, database:literal, in_schema:literal ('' of a database): records what its
	 * `altered` is now. NULL where `clones_containers` is not. */
	DIALECT_LOG_ALTERED,
	/* log, detail:literal: records the schemas that were put aside, [{"number", "of", "prefix",
	 * "kind", "bytes", "made", ..}]; their name is the prefix and the deployment. NULL like
	 * DIALECT_ASIDE_CHECK. */
	DIALECT_LOG_ASIDE,
	DIALECT_SCHEMA_CREATE,     /* schema, name:literal: unless it exists */
	DIALECT_LOG_CREATE,        /* log: unless it exists */
	DIALECT_LOCK_CREATE,       /* lock, container:literal: the table and its one row */
	DIALECT_LOCK_ACQUIRE,      /* lock: takes a free one */
	DIALECT_LOCK_ACQUIRE_NEXT, /* lock, previous: the same, if the previous one is ours */
	/* lock, log, seen:number, holder:literal, dead:literal, detail:literal,
	 * dead_for_sure:number: takes the lock of a holder that is dead (1), or if its lease has
	 * ended (0), and ends its deployment `dead` in the history, both or neither */
	DIALECT_LOCK_TAKE,
	/* lock, seen:number, holder:literal, dead_for_sure:number: the same for that deployment
	 * itself; waits for a transaction that used the fence */
	DIALECT_LOCK_RESUME,
	DIALECT_LOCK_READ, /* ? lock, log: who holds it, whether it published */
	DIALECT_LOCK_HELD, /* ? lock: a row while it is ours */
	DIALECT_LOCK_LIST, /* ? state:literal, database:literal: {"identifier"} of each there is */
	DIALECT_LOCK_RELEASE, /* lock: if it is still ours */
	DIALECT_FENCE_RAISE, /* lock: waits for a transaction that used the fence, then raises it */
	/* lock, container, doing:literal: raises unless still ours; sets phase and renews the
	 * lease. In a transaction nobody can take it before that ends. */
	DIALECT_FENCE_CHECK,
	/* lock, container: without a transaction: one query that raises unless it is still ours, by
	 * a lease with a quarter of its time left. NULL where there are transactions. */
	DIALECT_FENCE_HELD,
	DIALECT_FENCE_PRODUCTION, /* lock, container: in a transaction: raises if somebody holds it
				   */
	DIALECT_LOG_INSERT,       /* log, event:literal, detail:literal */
	/* lock, log, detail:literal: the beginning while the lock is ours, with its "fence", unless
	 * it is recorded already */
	DIALECT_LOG_BEGUN,
	/* lock, log, event:literal, detail:literal: the same of another event, unless an end or
	 * just this is recorded already */
	DIALECT_LOG_HELD,
	DIALECT_LOG_OBJECTS, /* log, names: records which objects stand there now */
	/* log, restore_schema:literal, detail:literal: records the restore points that stand there
	 * now: `detail` with "object" and "bytes" of each; [{"number", "of", "rows", ..}] */
	DIALECT_LOG_RESTORES,
	DIALECT_LOG_PROBE, /* ? log; {"published": bool} */
	DIALECT_LOG_READ,  /* ? log, only:literal ('' for all); {"id", "at", "age", "event",
			    * "detail"}; the age in seconds */
	DIALECT_TEMPLATE_COUNT,
};

/* What DIALECT_OBSERVE_PRIVILEGES takes: strings and an identifier, `region` being freed. */
#define DIALECT_REGION_OF(RELATION)                                                                \
	mem_printf("region-of %s.%s", (RELATION)->database, (RELATION)->schema)

/* Texts that raised errors begin with, so that a caller knows what happened. */
#define DIALECT_RAISED_FENCE "airlock-fence:"
#define DIALECT_RAISED_HELD "airlock-held:"
#define DIALECT_RAISED_CONFLICT "airlock-conflict:"
#define DIALECT_RAISED_LOCK "airlock-lock:"
#define DIALECT_RAISED_COUNT "airlock-count:"
#define DIALECT_RAISED_USED "airlock-used:"
#define DIALECT_RAISED_VIEW "airlock-view:"
#define DIALECT_RAISED_DEPENDENT "airlock-dependent:"
#define DIALECT_RAISED_PRIVILEGE "airlock-privilege:" /* and the statement that gives it */

/* Staging where it is a file of its own: production's has the name that dbt gives to both. */
#define DIALECT_STAGING_FILE "airlock_staging"

/* How one table gets its new rows. */
enum publish_way {
	PUBLISH_NEW = 1,  /* production has none */
	PUBLISH_REWRITE,  /* delete and insert in place: the object stays */
	PUBLISH_EXCHANGE, /* a new object is built aside and takes the name */
	PUBLISH_REPLACE,  /* create or replace, then what it loses is made again */
	PUBLISH_VIEW,     /* a view gets its new text in place: the object stays */
	PUBLISH_REMAKE,   /* a new view takes the name of a view, or of a table */
	PUBLISH_KEEP,     /* it is what it shall be */
	PUBLISH_REBUILD,  /* dbt makes it anew, behind the transaction */
	PUBLISH_RETURN,   /* an object that was moved away comes back under its name */
	PUBLISH_REMOVE,   /* production had none: what is there is moved away */
	PUBLISH_SWAP,     /* its whole container takes the place of production's */
};

const char *publish_way_name(enum publish_way way);
/* The old object gives its place to another one. */
bool publish_way_moves(enum publish_way way);

struct publish_table {
	const struct relation *from; /* NULL when it is removed */
	const struct relation *to;
	const struct table *from_table; /* NULL before it is built */
	const struct table *to_table;   /* NULL: production has none */
	bool decided; /* from_table is the tested one: columns and identities are known */
	bool runs;    /* by a deployment; otherwise it is only shown, and may lack privileges */
	bool is_view; /* PUBLISH_SWAP, PUBLISH_REBUILD: it has no rows of its own */
	enum publish_way way;
	/* from_table is all that the table shall be: nothing that to_table has besides is kept. */
	bool is_exact;
	bool is_marked; /* the comment that from_table has is a mark of ours */
	bool is_copy;   /* into staging: exact, but for foreign keys, comments and index names */
	struct relation restore; /* where the replaced rows go; identifier NULL: nowhere */
	/* Of `snapshots_a_day`: it is a copy; which of both it is, only the build decides. */
	bool restore_is_copy;
	bool restore_is_open;
	struct relation stage;     /* of a dialect that freezes what is published first */
	struct relation side;      /* there: what PUBLISH_EXCHANGE builds beside `to` */
	bool may_be_missed;        /* readers may find no table for a moment: it was said so */
	size_t number;             /* from 1 in this publish */
	const char *const *grants; /* "privilege", "grantee" pairs of the node's configuration */
	size_t grant_count;        /* number of pairs */
	bool sets_grants;          /* it says something, be it that nobody may: no others stay */
	/* Published as a view: what stands behind its name when it is created; NULL: as a table. */
	const char *view;
	size_t depth; /* of tables that change one at a time: parents have less */
	/* Of views: each comes behind what it reads, by its new text and by its old one. Views are
	 * made in the order of the first and removed against the order of the second. */
	size_t turn;
	size_t old_turn;
};

/* A view outside the set that reads what the set replaces by another object: it is made again
 * over the new one, and is otherwise what it was. */
struct publish_dependent {
	const struct table *view;
	size_t number; /* from 1 */
	size_t turn;
	size_t old_turn;
};

struct publish_set;
/* Whether the set makes it again as one of its dependents. */
bool publish_makes_again(const struct dialect *dialect, const struct publish_set *set,
			 const struct container_dependent *dependent);

/* Exchanged whole; relations without identifier. */
struct publish_container {
	struct relation from;
	struct relation to;
	struct relation restore;           /* what `to` is called afterwards */
	const struct container *from_seen; /* NULL before it is built */
	const struct container *to_seen;   /* NULL: production has none */
	/* Staging's begins as a clone of production's, with these, which no node makes, and without
	 * those. Both are production's. */
	bool is_cloned;
	/* Of a rollback: what production's `altered` still is; NULL: that does not matter. */
	const char *altered;
	const struct container_object **foreign;
	size_t foreign_count;
	const struct container_object **left_out;
	size_t left_out_count;
};

/* Statements [first, first + n) of a list: in this order, and beside the others of their group. */
struct statement_chain {
	size_t group, first, n;
};

struct statement_chains {
	struct statement_chain *items;
	size_t n, cap;
};

struct publish_set {
	struct publish_table *tables; /* sorted by to */
	size_t n;
	struct publish_container *containers; /* PUBLISH_SWAP; sorted by to */
	size_t container_count;
	const char *user; /* of the session that publishes; NULL: the warehouse does not say */
	bool by_content;  /* rows are compared, not only their number */
	struct publish_dependent *dependents;
	size_t dependent_count;
	size_t turns;            /* one more than the largest turn */
	int64_t lock_attempt_ms; /* longest that a waiting lock may make readers wait */
	int64_t timeout_ms;      /* after which getting the locks is given up */
	int64_t keep_for_s;      /* how long restore points are kept at least */
	/* Of a copy: views of this project in staging, which go with a table that they read. */
	const struct relation *views;
	size_t view_count;
	/* Of a dialect without transactions: the query that stands in front of each change (NULL:
	 * none), and whether another process had begun to make them. */
	const char *guard;
	bool is_resumed;
	/* Where that dialect says what of its statements need not stand in a row; NULL: not asked.
	 */
	struct statement_chains *chains;
	bool is_reused; /* staging stays what an earlier build made of it */
};

struct dialect {
	const char *name;  /* dbt's adapter type, as in manifest metadata.adapter_type */
	const char *title; /* for people */
	char quote;
	size_t identifier_max; /* bytes */
	bool folds_case;       /* names that differ in case only are one name */
	/* A name that is not quoted is stored in capital letters; dbt does not quote every name. */
	bool folds_upper;
	bool escapes_backslash; /* in a quoted literal */
	/* GoogleSQL: a quoted literal takes a quote behind a backslash and stays on one line;
	 * "text" is a literal too, three quotes and prefixes begin one, # begins a comment; `a.b.c`
	 * is three names; a name keeps its case without quotes, and a project has hyphens. */
	bool is_google_sql;
	/* What replaces a table may be partitioned or clustered otherwise. */
	bool replaces_layout;
	/* Characters that are in no name there, besides control characters; NULL: none. */
	const char *never_in_names;
	/* Each database has a catalog of its own: what a template says between {each} and {end}, or
	 * all of it, is rendered for each database of its names where it says {catalog}, and for
	 * each of their schemas where it says {dataset}, joined by "union all". */
	bool catalog_per_database;
	bool names_database;     /* statements carry the database part */
	bool crosses_databases;  /* a publish may write several databases */
	bool moves_objects;      /* a table can change its schema and keep all it has */
	bool views_follow_names; /* a view reads what has the name, and not the object */
	bool one_writer;         /* one process at a time may have the database open */
	bool swaps_schemas;      /* whole schemas can change places */
	bool swaps_databases;    /* databases too, where the sides differ by these */
	bool clones_containers;  /* either can be made as a clone of another one */
	/* Behind that views still name the schemas of staging, and are made again. */
	bool remakes_views;
	/* One database file can take the place of another; staging's has the name
	 * DIALECT_STAGING_FILE in statements. */
	bool swaps_files;
	/* The service keeps labels of each statement, and has those of a dead client still. */
	bool labels_jobs;
	/* How many changes of one table's or dataset's metadata the service takes at once, within
	 * how many seconds; and of a table in a day. 0: no limit that matters. */
	size_t updates_at_once;
	size_t updates_within_s;
	size_t updates_a_day;
	/* Restore points are snapshots, of which the service makes so many of one table in a day:
	 * behind that they are copies. 0: they are never snapshots. */
	size_t snapshots_a_day;
	/* Row access policies and authorized views are lost by a replace, and no statement reads
	 * them. */
	bool hides_policies;
	bool changes_set_atomically; /* all tables of a publish in one transaction */
	/* What a comparison with an earlier picture does not notice. */
	const char *unseen_by_identity;
	const char *unseen_by_content;
	/* What nobody compares where tables change one at a time; NULL: nothing else than the
	 * project may say. */
	const char *not_compared;
	enum dialect_transaction transaction;
	const char *const *transaction_settings; /* first in each transaction; NULL-ended */
	/* Of one query, in the transaction that is its own. NULL: none needed. */
	const char *query_setting;
	/* Of a session that looks at the catalog and holds no lock: it is never in a build's way.
	 * NULL: none needed. */
	const char *look_setting;
	/* Parts of messages, NULL-ended. Those of a statement that was undone and may be run again;
	 * those of a session that was never opened. */
	const char *const *transient;
	const char *const *unreachable;
	/* Whether the message is the warehouse's own, so that the statement has ended. NULL where
	 * the record of the publish, in its transaction, says how it ended. */
	bool (*is_answer)(const char *message);
	/* The side copy of a source: {copy}, {query:query}, {marker:literal}, and {layout:catalog}
	 * of what it will replace, with a blank before it. What is there already is dropped in
	 * front of them, except where a publish goes on. NULL: a table, and a comment on it. */
	const char *const *side_copy;
	/* A template that starts with "do " is the body of an anonymous block. */
	const char *const *templates; /* DIALECT_TEMPLATE_COUNT of them */
	/* ERR_UNSUPPORTED naming relation and feature when it cannot be published. `reason` is
	 * static text for the plan. */
	int (*choose_way)(const struct publish_table *table, enum publish_way *ret_way,
			  const char **ret_reason, struct err *err);
	/* The statements of the publish between the fences and the record, in one transaction. */
	int (*publish)(const struct dialect *dialect, const struct publish_set *set,
		       struct strv *statements, struct err *err);
	/* The restore points alone, of a set that dbt will make anew in its place. NULL where what
	 * dbt makes loses the privileges of what was there. */
	int (*keep)(const struct dialect *dialect, const struct publish_set *set,
		    struct strv *statements, struct err *err);
	/* Of a set that dbt made anew, in each table that production had: what it had and has no
	 * more is set again, and who may what with it is compared. NULL where the templates
	 * DIALECT_GRANTS_* do that, or there is nothing. */
	int (*give_back)(const struct dialect *dialect, const struct publish_set *set,
			 struct strv *statements, struct err *err);
	/* Of a set with containers: those of staging exist and say whose build they are, which the
	 * publish asks for. NULL where there are none. */
	int (*mark)(const struct dialect *dialect, const struct publish_set *set,
		    struct strv *statements, struct err *err);
	/* Of a set with files: what production's relations have and no build makes, into those of
	 * staging. NULL where none are exchanged. */
	int (*carry)(const struct dialect *dialect, const struct publish_set *set,
		     struct strv *statements, struct err *err);
	/*
	 * The other direction: `to` is staging's, and gets the rows and the shape of production's
	 * `from`: NEW, REWRITE, REPLACE, or REMOVE where production has none (`from_table` NULL).
	 * The columns of both are known.
	 */
	enum publish_way (*choose_copy)(const struct publish_table *table);
	int (*copy)(const struct dialect *dialect, const struct publish_set *set,
		    struct strv *statements, struct err *err);
};

const struct dialect *dialect_find(const char *adapter_type); /* NULL: not known */
const struct dialect *const *dialect_all(size_t *ret_n);

/* sql_render() of one of the templates. */
int dialect_render(struct buf *out, const struct dialect *dialect, enum dialect_template which,
		   const struct sql_arg *args, size_t n, struct err *err);
/* The same, appended to a list of statements. */
int dialect_push(struct strv *statements, const struct dialect *dialect,
		 enum dialect_template which, const struct sql_arg *args, size_t n,
		 struct err *err);
/* sql_render() of a template of the dialect's own, appended to a list of statements. */
int dialect_push_text(struct strv *statements, const struct dialect *dialect,
		      const char *template_text, const struct sql_arg *args, size_t n,
		      struct err *err);

#endif
