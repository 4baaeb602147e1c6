/*
 * answer: what the macro of an operation prints, read back into its reply.
 *
 * Print events (of dbt 1.8 and older: lines that are no events) hold one line each, every line
 * behind "airlock <nonce> ", in this order and no other (src/dbt/ops.sql writes them):
 *
 *   text <call> <characters> <md5>      for each call, before the first is run
 *   <call> <piece> <pieces> <text>      of an answer; all counted from 0, a piece up to 32,768
 *   done <call> <pieces> <rows> <md5>   behind each call; md5 of its whole answer
 *   skip <call>                         instead, of one whose guard brought no row
 *   end <calls>
 *
 * A call that wants no rows has no pieces, no rows and the md5 of nothing. Where the environment
 * holds DBT_ENV_SECRET variables dbt writes ***** for their values in everything it prints, so
 * there the lines are spaced: ANSWER_GAP stands between any two characters.
 *
 * Life cycle: answer_init(), answer_event() for each event, answer_release().
 * Ownership:  ops, nonce and reply are borrowed; the rows belong to the reply.
 * Errors:     `problem` is the first thing that was wrong; nothing is believed after it.
 */
#ifndef AIRLOCK_DBT_ANSWER_H
#define AIRLOCK_DBT_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "airlock/base/buf.h"
#include "airlock/dbt/event.h"
#include "airlock/dbt/ops.h"

#define ANSWER_GAP "~"

struct answer {
	const struct ops *ops;
	const char *nonce;
	bool spaced;
	struct ops_reply *reply;
	size_t texts_seen;
	struct buf text; /* of the call that is being answered, so far */
	size_t next_piece;
	size_t pieces; /* of this answer; 0 before its first piece */
	char *problem; /* NULL while all is well */
	char *caught;  /* what dbt says the macro failed with, or NULL */
};

void answer_init(struct answer *answer, const struct ops *ops, const char *nonce, bool spaced,
		 struct ops_reply *reply);
void answer_release(struct answer *answer);
void answer_event(struct answer *answer, const struct event *event);

/* `caught` in the database's own words: without dbt's headings, indentation and call stack.
 * free() it. */
char *answer_database_message(const struct answer *answer);

#endif
