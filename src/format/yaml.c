#include "airlock/format/yaml.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "airlock/base/buf.h"
#include "airlock/base/fs.h"

#define MAX_BYTES ((size_t)16 << 20)
#define MAX_DEPTH 64
#define MAX_NODES 200000

#define JINJA_HINT "text with '{{' needs quotes: \"{{ ... }}\""

/* A node with what the limits need to know of everything below it. */
struct built {
	struct yaml_node node; /* first: a built is handed out as its node */
	size_t weight;         /* nodes, itself included */
	size_t height;         /* levels of collections, itself included */
};

struct pair {
	const struct yaml_node *key; /* NULL in a sequence */
	const struct yaml_node *value;
};

struct pairs {
	struct pair *v;
	size_t n;
	size_t cap;
};

/* A collection that is not at its end yet. */
struct frame {
	struct built *built;
	struct pairs pairs;
	const struct yaml_node *key; /* of a mapping: its value comes next */
};

struct anchor {
	const char *name;
	const struct built *built;
};

struct builder {
	struct yaml_document *document;
	yaml_parser_t parser;
	const char *text;
	size_t len;
	struct frame stack[MAX_DEPTH];
	size_t depth;
	struct anchor *anchors; /* the last of a name counts */
	size_t anchor_count;
	size_t anchor_cap;
	size_t nodes;
	bool done;
	struct err *err;
};

static int error_at(struct builder *b, const yaml_mark_t *mark, const char *format, ...)
	PRINTF_LIKE(3, 4);

static int error_at(struct builder *b, const yaml_mark_t *mark, const char *format, ...)
{
	CLEANUP(mem_free_string) char *text = NULL;
	va_list ap;

	va_start(ap, format);
	text = mem_vprintf(format, ap);
	va_end(ap);
	return err_set(b->err, ERR_PROJECT_INVALID, "%s:%zu:%zu: %s", b->document->name,
		       mark->line + 1, mark->column + 1, text);
}

static void pairs_add(struct pairs *pairs, const struct yaml_node *key,
		      const struct yaml_node *value)
{
	mem_grow((void **)&pairs->v, &pairs->cap, pairs->n + 1, sizeof(*pairs->v));
	pairs->v[pairs->n++] = (struct pair) { key, value };
}

static void pairs_release(struct pairs *pairs)
{
	free(pairs->v);
	*pairs = (struct pairs) { 0 };
}

static int count(struct builder *b, size_t weight, const yaml_mark_t *mark)
{
	if (weight > MAX_NODES - b->nodes)
		return error_at(b, mark,
				"more than %d values (those of an alias count wherever it is used)",
				MAX_NODES);
	b->nodes += weight;
	return 0;
}

static struct built *new_node(struct builder *b, enum yaml_kind kind, const yaml_mark_t *mark)
{
	struct built *built = arena_alloc(&b->document->arena, sizeof(*built));

	built->node.kind = kind;
	built->node.line = mark->line + 1;
	built->node.column = mark->column + 1;
	built->weight = 1;
	return built;
}

static yaml_mark_t mark_of(const struct yaml_node *node)
{
	return (yaml_mark_t) { .line = node->line - 1, .column = node->column - 1 };
}

static struct frame *top(struct builder *b)
{
	return &b->stack[b->depth - 1];
}

static bool wants_key(struct builder *b)
{
	return b->depth && top(b)->built->node.kind == YAML_KIND_MAPPING && !top(b)->key;
}

/* Puts a finished node where it belongs. */
static int attach(struct builder *b, const struct built *built, const yaml_mark_t *mark)
{
	struct frame *frame;

	if (b->depth == 0) {
		b->document->root = &built->node;
		return 0;
	}
	frame = top(b);
	frame->built->weight += built->weight;
	if (frame->built->height < built->height + 1)
		frame->built->height = built->height + 1;
	if (!wants_key(b)) {
		pairs_add(&frame->pairs, frame->key, &built->node);
		frame->key = NULL;
		return 0;
	}
	if (built->node.kind == YAML_KIND_SCALAR) {
		frame->key = &built->node;
		return 0;
	}
	error_at(b, mark, "a key must be a plain value");
	return err_hint(b->err, "%s", JINJA_HINT);
}

static void remember_anchor(struct builder *b, const yaml_char_t *name, const struct built *built)
{
	if (!name)
		return;
	mem_grow((void **)&b->anchors, &b->anchor_cap, b->anchor_count + 1, sizeof(*b->anchors));
	b->anchors[b->anchor_count++] = (struct anchor) {
		arena_strdup(&b->document->arena, (const char *)name),
		built,
	};
}

static bool is_null_text(const char *s)
{
	static const char *const texts[] = { "", "~", "null", "Null", "NULL" };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (strcmp(s, texts[i]) == 0)
			return true;
	return false;
}

static int on_scalar(struct builder *b, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	struct built *built = new_node(b, YAML_KIND_SCALAR, &event->start_mark);

	if (memchr(text, '\0', len))
		return error_at(b, &event->start_mark, "a value holds a NUL character");
	if (count(b, 1, &event->start_mark) < 0)
		return -1;
	built->node.quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE ||
			     !event->data.scalar.plain_implicit;
	if (!built->node.quoted && is_null_text(text) && !wants_key(b))
		built->node.kind = YAML_KIND_NULL;
	else
		built->node.value = arena_strndup(&b->document->arena, text, len);
	remember_anchor(b, event->data.scalar.anchor, built);
	return attach(b, built, &event->start_mark);
}

static const struct built *find_anchor(const struct builder *b, const char *name)
{
	for (size_t i = b->anchor_count; i > 0; i--)
		if (strcmp(b->anchors[i - 1].name, name) == 0)
			return b->anchors[i - 1].built;
	return NULL;
}

static int on_alias(struct builder *b, const yaml_event_t *event)
{
	const char *name = (const char *)event->data.alias.anchor;
	const struct built *built = find_anchor(b, name);

	if (!built)
		return error_at(b, &event->start_mark, "there is no anchor '&%s' before '*%s'",
				name, name);
	for (size_t i = 0; i < b->depth; i++)
		if (b->stack[i].built == built)
			return error_at(b, &event->start_mark, "'*%s' is inside its own anchor",
					name);
	if (count(b, built->weight, &event->start_mark) < 0)
		return -1;
	if (b->depth + built->height > MAX_DEPTH)
		return error_at(b, &event->start_mark, "nested deeper than %d levels", MAX_DEPTH);
	return attach(b, built, &event->start_mark);
}

static int on_start(struct builder *b, const yaml_event_t *event, enum yaml_kind kind,
		    const yaml_char_t *anchor)
{
	struct built *built = new_node(b, kind, &event->start_mark);

	if (b->depth == MAX_DEPTH)
		return error_at(b, &event->start_mark, "nested deeper than %d levels", MAX_DEPTH);
	if (count(b, 1, &event->start_mark) < 0)
		return -1;
	built->height = 1;
	remember_anchor(b, anchor, built);
	b->stack[b->depth++] = (struct frame) { .built = built };
	return 0;
}

static bool is_merge(const struct pair *pair)
{
	return pair->key && !pair->key->quoted && strcmp(pair->key->value, "<<") == 0;
}

/* Entries by key, then by position. */
struct sorted {
	const char *key;
	size_t at;
};

static int compare_sorted(const void *a, const void *b)
{
	const struct sorted *x = a;
	const struct sorted *y = b;
	int order = strcmp(x->key, y->key);

	return order ? order : (x->at > y->at) - (x->at < y->at);
}

static struct sorted *sort_keys(const struct pairs *pairs)
{
	struct sorted *sorted = mem_alloc((pairs->n + 1) * sizeof(*sorted));

	for (size_t i = 0; i < pairs->n; i++)
		sorted[i] = (struct sorted) { pairs->v[i].key->value, i };
	qsort(sorted, pairs->n, sizeof(*sorted), compare_sorted);
	return sorted;
}

static int refuse_duplicates(struct builder *b, const struct pairs *own)
{
	struct sorted *sorted = sort_keys(own);
	const struct yaml_node *first = NULL;
	const struct yaml_node *second = NULL;

	for (size_t i = 1; i < own->n; i++) {
		const struct yaml_node *key = own->v[sorted[i].at].key;

		if (strcmp(sorted[i].key, sorted[i - 1].key) != 0 ||
		    is_merge(&own->v[sorted[i].at]))
			continue;
		if (second && second->line <= key->line)
			continue;
		first = own->v[sorted[i - 1].at].key;
		second = key;
	}
	free(sorted);
	if (!second)
		return 0;
	yaml_error(b->document, second, ERR_PROJECT_INVALID, b->err,
		   "key '%s' is given twice, first at line %zu", second->value, first->line);
	return err_hint(b->err, "remove one of the two");
}

static int add_mapping(struct builder *b, struct pairs *out, const struct yaml_node *mapping)
{
	yaml_mark_t mark = mark_of(mapping);

	if (mapping->kind != YAML_KIND_MAPPING)
		return error_at(b, &mark, "'<<' takes a mapping or a list of mappings");
	if (count(b, mapping->n, &mark) < 0)
		return -1;
	for (size_t i = 0; i < mapping->n; i++)
		pairs_add(out, mapping->keys[i], mapping->items[i]);
	return 0;
}

static int add_merged(struct builder *b, struct pairs *out, const struct yaml_node *value)
{
	if (value->kind != YAML_KIND_SEQUENCE)
		return add_mapping(b, out, value);
	/* The first of a list wins: it comes last. */
	for (size_t i = value->n; i > 0; i--)
		if (add_mapping(b, out, value->items[i - 1]) < 0)
			return -1;
	return 0;
}

/* Of entries with one key the last stays. */
static void drop_overridden(struct pairs *pairs)
{
	struct sorted *sorted = sort_keys(pairs);
	size_t n = 0;

	for (size_t i = 0; i + 1 < pairs->n; i++)
		if (strcmp(sorted[i].key, sorted[i + 1].key) == 0)
			pairs->v[sorted[i].at].key = NULL;
	free(sorted);
	for (size_t i = 0; i < pairs->n; i++)
		if (pairs->v[i].key)
			pairs->v[n++] = pairs->v[i];
	pairs->n = n;
}

static int resolve_merges(struct builder *b, struct pairs *own)
{
	struct pairs out = { 0 };
	bool any = false;

	for (size_t i = 0; i < own->n; i++) {
		if (!is_merge(&own->v[i]))
			continue;
		any = true;
		if (add_merged(b, &out, own->v[i].value) < 0) {
			pairs_release(&out);
			return -1;
		}
	}
	if (!any)
		return 0;
	for (size_t i = 0; i < own->n; i++)
		if (!is_merge(&own->v[i]))
			pairs_add(&out, own->v[i].key, own->v[i].value);
	drop_overridden(&out);
	pairs_release(own);
	*own = out;
	return 0;
}

static int on_end(struct builder *b)
{
	struct frame *frame = top(b);
	struct pairs *pairs = &frame->pairs;
	struct built *built = frame->built;
	struct arena *arena = &b->document->arena;
	bool is_mapping = built->node.kind == YAML_KIND_MAPPING;
	yaml_mark_t start = mark_of(&built->node);

	if (is_mapping && (refuse_duplicates(b, pairs) < 0 || resolve_merges(b, pairs) < 0))
		return -1;
	built->node.n = pairs->n;
	built->node.items = arena_alloc(arena, (pairs->n + 1) * sizeof(*built->node.items));
	if (is_mapping)
		built->node.keys = arena_alloc(arena, (pairs->n + 1) * sizeof(*built->node.keys));
	for (size_t i = 0; i < pairs->n; i++) {
		built->node.items[i] = pairs->v[i].value;
		if (is_mapping)
			built->node.keys[i] = pairs->v[i].key;
	}
	pairs_release(pairs);
	b->depth--;
	return attach(b, built, &start);
}

static int on_event(struct builder *b, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (b->document->root)
			return error_at(b, &event->start_mark, "a second document begins here");
		return 0;
	case YAML_SCALAR_EVENT:
		return on_scalar(b, event);
	case YAML_ALIAS_EVENT:
		return on_alias(b, event);
	case YAML_SEQUENCE_START_EVENT:
		return on_start(b, event, YAML_KIND_SEQUENCE, event->data.sequence_start.anchor);
	case YAML_MAPPING_START_EVENT:
		return on_start(b, event, YAML_KIND_MAPPING, event->data.mapping_start.anchor);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return on_end(b);
	case YAML_STREAM_END_EVENT:
		b->done = true;
		return 0;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return 0;
	}
	return 0;
}

/* The text of a line (from 0) without its newline, as far as it is there. */
static size_t find_line(const struct builder *b, size_t line, const char **ret_start)
{
	const char *start = b->text;
	const char *end = b->text + b->len;
	const char *newline;

	while (line > 0 && (newline = memchr(start, '\n', (size_t)(end - start)))) {
		start = newline + 1;
		line--;
	}
	newline = memchr(start, '\n', (size_t)(end - start));
	*ret_start = start;
	return (size_t)((newline ? newline : end) - start);
}

static yaml_mark_t reader_mark(const struct builder *b)
{
	yaml_mark_t mark = { 0 };
	size_t offset = b->parser.problem_offset < b->len ? b->parser.problem_offset : b->len;

	for (size_t i = 0; i < offset; i++) {
		mark.column++;
		if (b->text[i] == '\n') {
			mark.line++;
			mark.column = 0;
		}
	}
	return mark;
}

static int syntax_error(struct builder *b)
{
	const yaml_parser_t *parser = &b->parser;
	bool reader = parser->error == YAML_READER_ERROR;
	yaml_mark_t mark = reader ? reader_mark(b) : parser->problem_mark;
	CLEANUP(mem_free_string) char *context = NULL;
	const char *line;
	size_t len = find_line(b, mark.line, &line);
	size_t indent = 0;

	if (parser->error == YAML_MEMORY_ERROR)
		abort();
	if (!reader && parser->context && parser->context_mark.line != mark.line)
		context = mem_printf(" %s that begins at line %zu", parser->context,
				     parser->context_mark.line + 1);
	error_at(b, &mark, "%s%s", parser->problem, context ? context : "");
	while (indent < len && line[indent] == ' ')
		indent++;
	if (indent < len && line[indent] == '\t')
		return err_hint(b->err, "indent with spaces: YAML takes no tabs");
	if (memmem(line, len, "{{", 2))
		return err_hint(b->err, "%s", JINJA_HINT);
	return -1;
}

static int build(struct builder *b)
{
	while (!b->done) {
		yaml_event_t event;
		int status;

		if (!yaml_parser_parse(&b->parser, &event))
			return syntax_error(b);
		status = on_event(b, &event);
		yaml_event_delete(&event);
		if (status < 0)
			return -1;
	}
	return 0;
}

int yaml_parse(const char *text, size_t len, const char *name, struct yaml_document *ret_document,
	       struct err *err)
{
	static const struct yaml_node nothing = { .line = 1, .column = 1 };
	struct yaml_document document = { .root = NULL };
	struct builder *b;
	int status;

	if (len > MAX_BYTES)
		return err_set(err, ERR_PROJECT_INVALID, "%s: larger than %zu bytes", name,
			       MAX_BYTES);
	arena_init(&document.arena);
	document.name = arena_strdup(&document.arena, name);
	b = mem_alloc(sizeof(*b));
	*b = (struct builder) { .document = &document, .text = text, .len = len, .err = err };
	if (!yaml_parser_initialize(&b->parser))
		abort();
	yaml_parser_set_input_string(&b->parser, (const unsigned char *)text, len);
	status = build(b);
	yaml_parser_delete(&b->parser);
	for (size_t i = 0; i < b->depth; i++)
		pairs_release(&b->stack[i].pairs);
	free(b->anchors);
	free(b);
	if (status < 0) {
		arena_release(&document.arena);
		return -1;
	}
	if (!document.root)
		document.root = &nothing;
	*ret_document = document;
	return 0;
}

int yaml_read(const char *path, struct yaml_document *ret_document, struct err *err)
{
	CLEANUP(buf_release) struct buf content = BUF_INIT;

	if (fs_is_directory(path))
		return err_set(err, ERR_PROJECT_INVALID,
			       "'%s' is a directory where a YAML file is expected", path);
	if (fs_read(path, MAX_BYTES, &content, err) < 0)
		return -1;
	return yaml_parse(buf_cstr(&content), content.len, path, ret_document, err);
}

void yaml_release(struct yaml_document *document)
{
	arena_release(&document->arena);
	document->root = NULL;
	document->name = NULL;
}

const struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key)
{
	if (!mapping || mapping->kind != YAML_KIND_MAPPING)
		return NULL;
	for (size_t i = 0; i < mapping->n; i++)
		if (strcmp(mapping->keys[i]->value, key) == 0)
			return mapping->items[i];
	return NULL;
}

const char *yaml_string(const struct yaml_node *node)
{
	return node && node->kind == YAML_KIND_SCALAR ? node->value : NULL;
}

int yaml_bool(const struct yaml_node *node, bool *ret_value)
{
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on" };

	if (!yaml_string(node) || node->quoted)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcasecmp(node->value, words[i]) == 0) {
			*ret_value = i % 2 == 1;
			return 0;
		}
	}
	return -1;
}

int yaml_error(const struct yaml_document *document, const struct yaml_node *node,
	       enum err_code code, struct err *err, const char *format, ...)
{
	CLEANUP(mem_free_string) char *text = NULL;
	va_list ap;

	va_start(ap, format);
	text = mem_vprintf(format, ap);
	va_end(ap);
	if (!node)
		return err_set(err, code, "%s: %s", document->name, text);
	return err_set(err, code, "%s:%zu:%zu: %s", document->name, node->line, node->column, text);
}
