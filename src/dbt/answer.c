#include "airlock/dbt/answer.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "airlock/base/md5.h"
#include "airlock/base/mem.h"
#include "airlock/format/json.h"

void answer_init(struct answer *answer, const struct ops *ops, const char *nonce, bool spaced,
		 struct ops_reply *reply)
{
	*answer = (struct answer) { .ops = ops, .nonce = nonce, .spaced = spaced, .reply = reply };
}

void answer_release(struct answer *answer)
{
	buf_release(&answer->text);
	free(answer->problem);
	free(answer->caught);
}

static void PRINTF_LIKE(2, 3) broken(struct answer *answer, const char *format, ...)
{
	va_list ap;

	if (answer->problem)
		return;
	va_start(ap, format);
	answer->problem = mem_vprintf(format, ap);
	va_end(ap);
}

/* A decimal number and the space or the end behind it. */
static bool take_number(const char **p, size_t *ret_number)
{
	const char *s = *p;
	size_t digits = strspn(s, "0123456789");
	size_t number = 0;

	if (!digits || digits > 18 || (s[digits] && s[digits] != ' '))
		return false;
	for (size_t i = 0; i < digits; i++)
		number = number * 10 + (size_t)(s[i] - '0');
	*ret_number = number;
	*p = s + digits + (s[digits] == ' ');
	return true;
}

static bool take_word(const char **p, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*p, word, len) || (*p)[len] != ' ')
		return false;
	*p += len + 1;
	return true;
}

static size_t count_characters(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void read_text(struct answer *answer, const char *line)
{
	char sum[MD5_HEX_SIZE];
	const char *sql;
	size_t call, characters;

	if (!take_number(&line, &call) || !take_number(&line, &characters) ||
	    call != answer->texts_seen || call >= answer->ops->n) {
		broken(answer, "a checksum is missing or not in order");
		return;
	}
	sql = answer->ops->calls[call].sql;
	md5_hex(sql, strlen(sql), sum);
	if (characters != count_characters(sql) || strcmp(line, sum))
		broken(answer, "statement %zu reached dbt changed", call + 1);
	answer->texts_seen++;
}

static void read_piece(struct answer *answer, const char *line)
{
	size_t call, piece, pieces;

	if (!take_number(&line, &call) || !take_number(&line, &piece) ||
	    !take_number(&line, &pieces)) {
		broken(answer, "a line that airlock does not know");
		return;
	}
	if (answer->texts_seen != answer->ops->n || call != answer->reply->calls_done ||
	    call >= answer->ops->n || piece != answer->next_piece || piece >= pieces ||
	    (piece && pieces != answer->pieces)) {
		broken(answer, "piece %zu of %zu of the answer to statement %zu is not in order",
		       piece + 1, pieces, call + 1);
		return;
	}
	answer->pieces = pieces;
	answer->next_piece++;
	buf_add(&answer->text, line, strlen(line));
}

/* An array with a document for each row. */
static json_t *parse_answer(struct answer *answer, size_t call, size_t rows)
{
	char *name CLEANUP(mem_free_string) = mem_printf("answer to statement %zu", call + 1);
	struct err err CLEANUP(err_release) = ERR_INIT;
	json_t *documents =
		js_parse(buf_cstr(&answer->text), answer->text.len, name, ERR_NO_ANSWER, &err);

	if (!documents) {
		broken(answer, "%s", err.message);
		return NULL;
	}
	if (json_array_size(documents) == rows)
		return documents;
	broken(answer, "a row of the %s is no JSON document", name);
	json_decref(documents);
	return NULL;
}

static bool take_done(const struct answer *answer, const char **line, size_t *ret_call,
		      size_t *ret_rows)
{
	size_t pieces;

	return take_number(line, ret_call) && take_number(line, &pieces) &&
	       take_number(line, ret_rows) && answer->texts_seen == answer->ops->n &&
	       *ret_call == answer->reply->calls_done && *ret_call < answer->ops->n &&
	       pieces == answer->next_piece && pieces == answer->pieces;
}

static void read_done(struct answer *answer, const char *line)
{
	struct ops_reply *reply = answer->reply;
	char sum[MD5_HEX_SIZE];
	size_t call, rows;

	if (!take_done(answer, &line, &call, &rows)) {
		broken(answer, "pieces of the answer to statement %zu are missing",
		       reply->calls_done + 1);
		return;
	}
	if (answer->text.overflowed) {
		broken(answer, "the answer to statement %zu is too long", call + 1);
		return;
	}
	md5_hex(buf_cstr(&answer->text), answer->text.len, sum);
	if (strcmp(line, sum)) {
		broken(answer, "the answer to statement %zu was changed on its way", call + 1);
		return;
	}
	if (answer->ops->calls[call].wants_rows) {
		reply->rows[call] = parse_answer(answer, call, rows);
		if (!reply->rows[call])
			return;
	}
	buf_clear(&answer->text);
	answer->next_piece = 0;
	answer->pieces = 0;
	reply->calls_done++;
}

static bool may_be_skipped(const struct answer *answer, size_t call)
{
	const struct ops *ops = answer->ops;

	return call < ops->n && ops->calls[call].is_guarded &&
	       json_array_size(answer->reply->rows[ops_guard(ops, call)]) == 0;
}

static void read_skip(struct answer *answer, const char *line)
{
	size_t call;

	if (!take_number(&line, &call) || *line || answer->texts_seen != answer->ops->n ||
	    call != answer->reply->calls_done || answer->next_piece ||
	    !may_be_skipped(answer, call))
		broken(answer, "statement %zu was left out", answer->reply->calls_done + 1);
	else
		answer->reply->calls_done++;
}

static void read_end(struct answer *answer, const char *line)
{
	size_t calls;

	if (!take_number(&line, &calls) || *line || calls != answer->ops->n ||
	    calls != answer->reply->calls_done)
		broken(answer, "it ended before every statement was answered");
	else
		answer->reply->finished = true;
}

static void read_line(struct answer *answer, const char *line)
{
	if (!take_word(&line, "airlock") || !take_word(&line, answer->nonce))
		return;
	if (answer->problem)
		return;
	if (answer->reply->finished)
		broken(answer, "a line behind the end");
	else if (take_word(&line, "text"))
		read_text(answer, line);
	else if (take_word(&line, "done"))
		read_done(answer, line);
	else if (take_word(&line, "skip"))
		read_skip(answer, line);
	else if (take_word(&line, "end"))
		read_end(answer, line);
	else
		read_piece(answer, line);
}

/* Every second character; what is no spaced line becomes nothing that read_line() knows. */
static void remove_gaps(const char *line, struct buf *out)
{
	while (*line) {
		size_t len = 1;

		while (((unsigned char)line[len] & 0xc0) == 0x80)
			len++;
		buf_add(out, line, len);
		line += len;
		if (*line == *ANSWER_GAP)
			line++;
	}
}

/* dbt 1.8 and older write what a macro prints as it is, between the events. */
static bool is_printed(const struct event *event)
{
	return event->kind == EVENT_PRINT || event->kind == EVENT_TEXT;
}

/* "[error] [DbDriverFailed (dbt1308)]: reason": dbt 2.x has no event of its own for it. */
static const char second_error[] = "[error] [";

/* What the macro failed with; it prints before it does anything that can fail. */
static bool is_of_macro(const struct answer *answer, const struct event *event)
{
	return event->kind == EVENT_ERROR &&
	       (!strcmp(event->name, "RunningOperationCaughtError") ||
		!strcmp(event->name, "RunningOperationUncaughtError") ||
		(answer->texts_seen > 0 &&
		 !strncmp(event->message, second_error, strlen(second_error))));
}

void answer_event(struct answer *answer, const struct event *event)
{
	struct buf line CLEANUP(buf_release) = BUF_INIT;

	if (is_printed(event) && answer->spaced) {
		remove_gaps(event->message, &line);
		read_line(answer, buf_cstr(&line));
	} else if (is_printed(event)) {
		read_line(answer, event->message);
	} else if (!answer->caught && is_of_macro(answer, event)) {
		answer->caught = mem_strdup(event->message);
	}
}

/* "Database Error", "Runtime Error", "Compilation Error in macro ...": dbt's own heading. */
static bool is_heading(const char *line, size_t len)
{
	const char *word = memmem(line, len, " Error", 6);

	if (!word)
		return false;
	word += 6;
	return word == line + len || !strncmp(word, " in ", 4);
}

/* Without the place in the macro and the call stack behind it. */
static char *second_message(const char *message)
{
	static const char *const places[] = { "\n(in ", "\n  --> " };
	const char *start = strstr(message, "]: ");
	size_t len;

	start = start ? start + strlen("]: ") : message;
	len = strlen(start);
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		const char *place = strstr(start, places[i]);

		if (place && (size_t)(place - start) < len)
			len = (size_t)(place - start);
	}
	return mem_strndup(start, len);
}

char *answer_database_message(const struct answer *answer)
{
	static const char lead[] = "Encountered an error while running operation: ";
	const char *message = answer->caught;
	struct buf out CLEANUP(buf_release) = BUF_INIT;
	bool first = true;

	if (!strncmp(message, second_error, strlen(second_error)))
		return second_message(message);
	if (!strncmp(message, lead, strlen(lead)))
		message += strlen(lead);
	while (*message) {
		size_t len = strcspn(message, "\n");
		const char *next = message + len + (message[len] == '\n');
		bool heading = first && *next && is_heading(message, len);

		first = false;
		if (!strncmp(message, "  ", 2)) {
			message += 2;
			len -= 2;
		}
		if (len && !heading && strncmp(message, "> ", 2)) {
			if (out.len)
				buf_add_char(&out, '\n');
			buf_add(&out, message, len);
		}
		message = next;
	}
	return buf_take(&out);
}
