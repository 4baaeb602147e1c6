#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "airlock/base/buf.h"
#include "airlock/format/yaml.h"

static struct yaml_document parse(const char *text)
{
	struct yaml_document document;
	struct err err = ERR_INIT;

	if (yaml_parse(text, strlen(text), "p.yml", &document, &err) < 0)
		fail_msg("%s", err.message);
	return document;
}

static void assert_refused_with_hint(const char *text, const char *message, const char *hint)
{
	struct yaml_document document;
	struct err err = ERR_INIT;

	assert_int_equal(yaml_parse(text, strlen(text), "p.yml", &document, &err), -1);
	assert_int_equal(err.code, ERR_PROJECT_INVALID);
	assert_string_equal(err.message, message);
	if (hint)
		assert_string_equal(err.hint, hint);
	err_release(&err);
}

static void assert_refused(const char *text, const char *message)
{
	assert_refused_with_hint(text, message, NULL);
}

/* A node as flow text: ~ for null, quotes around what was quoted. */
static void show(struct buf *out, const struct yaml_node *node)
{
	static const char *const open[] = { "", "", "[", "{" };
	static const char *const close[] = { "", "", "]", "}" };

	if (node->kind == YAML_KIND_NULL)
		buf_add_str(out, "~");
	else if (node->kind == YAML_KIND_SCALAR)
		buf_printf(out, node->quoted ? "'%s'" : "%s", node->value);
	buf_add_str(out, open[node->kind]);
	for (size_t i = 0; i < node->n; i++) {
		buf_add_str(out, i ? ", " : "");
		if (node->kind == YAML_KIND_MAPPING)
			buf_printf(out, "%s: ", node->keys[i]->value);
		show(out, node->items[i]);
	}
	buf_add_str(out, close[node->kind]);
}

static void assert_reads(const char *text, const char *expected)
{
	struct yaml_document document = parse(text);
	CLEANUP(buf_release) struct buf shown = BUF_INIT;

	show(&shown, document.root);
	assert_string_equal(buf_cstr(&shown), expected);
	yaml_release(&document);
}

static void a_document_becomes_a_tree(void **state)
{
	(void)state;
	assert_reads("a: 1\nb: [x, 'y', \"z\", ~, null, ]\nc:\n  - d: {e: f}\n",
		     "{a: 1, b: [x, 'y', 'z', ~, ~], c: [{d: {e: f}}]}");
	assert_reads("a: |\n  two\n  lines\nb:\nc: !!str 1\n", "{a: 'two\nlines\n', b: ~, c: '1'}");
	assert_reads("just text", "just text");
	assert_reads("", "~");
	assert_reads("# nothing\n", "~");
	assert_reads("---\na: 1\n...\n", "{a: 1}");
	assert_reads("1: a\nnull: b\n? c\n: d\n", "{1: a, null: b, c: d}");
}

static void every_node_knows_its_place(void **state)
{
	struct yaml_document document = parse("vars:\n  \xc3\xa9t\xc3\xa9: [a, b]\n");
	const struct yaml_node *list =
		yaml_get(yaml_get(document.root, "vars"), "\xc3\xa9t\xc3\xa9");

	(void)state;
	assert_int_equal(document.root->line, 1);
	assert_int_equal(document.root->column, 1);
	assert_int_equal(list->line, 2);
	assert_int_equal(list->column, 8);
	assert_int_equal(list->items[1]->column, 12);
	yaml_release(&document);
}

static void a_key_given_twice_is_refused_with_both_places(void **state)
{
	(void)state;
	assert_refused_with_hint("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n",
				 "p.yml:5:3: key 'c' is given twice, first at line 3",
				 "remove one of the two");
	assert_refused("{a: 1, 'a': 2}", "p.yml:1:8: key 'a' is given twice, first at line 1");
	/* The first one that is a repetition, whatever the order of the alphabet. */
	assert_refused("z: 1\na: 1\nz: 2\na: 2\n",
		       "p.yml:3:1: key 'z' is given twice, first at line 1");
}

static void aliases_stand_for_their_anchor(void **state)
{
	(void)state;
	assert_reads("a: &x {b: c}\nd: *x\ne: [*x]\n", "{a: {b: c}, d: {b: c}, e: [{b: c}]}");
	assert_reads("a: &x 1\nb: &x 2\nc: *x\n", "{a: 1, b: 2, c: 2}");
	assert_reads("&k key: v\nother: *k\n", "{key: v, other: key}");
	assert_refused("a: *nope\n", "p.yml:1:4: there is no anchor '&nope' before '*nope'");
}

static void an_alias_inside_its_own_anchor_is_refused(void **state)
{
	(void)state;
	assert_refused("a: &x\n  b: *x\n", "p.yml:2:6: '*x' is inside its own anchor");
	assert_refused("&x [1, [*x]]", "p.yml:1:9: '*x' is inside its own anchor");
}

static void merge_keys_are_resolved_as_pyyaml_does(void **state)
{
	(void)state;
	assert_reads("d: &d {a: 1, b: 2}\nx:\n  <<: *d\n  b: 3\n  c: 4\n",
		     "{d: {a: 1, b: 2}, x: {a: 1, b: 3, c: 4}}");
	assert_reads("x:\n  b: 3\n  <<: {b: 1, a: 2}\n", "{x: {a: 2, b: 3}}");
	assert_reads("p: &p {a: 1}\nq: &q {a: 2, b: 2}\nx: {<<: [*p, *q]}\n",
		     "{p: {a: 1}, q: {a: 2, b: 2}, x: {b: 2, a: 1}}");
	assert_reads("p: &p {a: 1}\nq: &q {<<: *p, b: 2}\nx: {<<: *q}\n",
		     "{p: {a: 1}, q: {a: 1, b: 2}, x: {a: 1, b: 2}}");
	assert_reads("x: {'<<': 1}\n", "{x: {<<: 1}}");
	assert_refused("x:\n  <<: 1\n", "p.yml:2:7: '<<' takes a mapping or a list of mappings");
	assert_refused("x: {<<: [{a: 1}, b]}\n",
		       "p.yml:1:18: '<<' takes a mapping or a list of mappings");
}

static void unquoted_jinja_is_refused_with_the_cure(void **state)
{
	static const char hint[] = "text with '{{' needs quotes: \"{{ ... }}\"";

	(void)state;
	assert_refused_with_hint("name: {{ env_var('X') }}\n",
				 "p.yml:1:8: a key must be a plain value", hint);
	assert_refused_with_hint("name: {{ x }}_stg\n", "p.yml:1:8: a key must be a plain value",
				 hint);
	assert_refused_with_hint("a: b: {{ c }}\n",
				 "p.yml:1:5: mapping values are not allowed in this context", hint);
}

static void tabs_are_called_tabs(void **state)
{
	(void)state;
	assert_refused_with_hint("a:\n\tb: 1\n",
				 "p.yml:2:1: found character that cannot start any token",
				 "indent with spaces: YAML takes no tabs");
}

static void a_syntax_error_names_where_it_began(void **state)
{
	(void)state;
	assert_refused("a: 1\nb: [1, 2\nc: 3\n",
		       "p.yml:3:2: did not find expected ',' or ']' while parsing a flow sequence "
		       "that begins at line 2");
	assert_refused("a: b: c\n", "p.yml:1:5: mapping values are not allowed in this context");
	assert_refused("a: 1\nb: \xff\n", "p.yml:2:4: invalid leading UTF-8 octet");
	assert_refused("a: \"\\0\"\n", "p.yml:1:4: a value holds a NUL character");
}

static void a_second_document_is_refused(void **state)
{
	(void)state;
	assert_refused("a: 1\n---\nb: 2\n", "p.yml:2:1: a second document begins here");
}

static char *nested(size_t levels)
{
	struct buf text = BUF_INIT;

	for (size_t i = 0; i < levels; i++)
		buf_add_char(&text, '[');
	for (size_t i = 0; i < levels; i++)
		buf_add_char(&text, ']');
	return buf_take(&text);
}

static void depth_is_limited(void **state)
{
	CLEANUP(mem_free_string) char *most = nested(64);
	CLEANUP(mem_free_string) char *more = nested(65);
	struct yaml_document document = parse(most);

	(void)state;
	yaml_release(&document);
	assert_refused(more, "p.yml:1:65: nested deeper than 64 levels");
}

static void depth_counts_through_aliases(void **state)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	(void)state;
	buf_add_str(&text, "a0: &a0 [[[[[[[[[[1]]]]]]]]]]\n");
	for (int i = 1; i < 10; i++)
		buf_printf(&text, "a%d: &a%d [[[[[[[[[*a%d]]]]]]]]]\n", i, i, i - 1);
	assert_refused(buf_cstr(&text), "p.yml:7:18: nested deeper than 64 levels");
}

static void values_are_counted_wherever_an_alias_repeats_them(void **state)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	(void)state;
	buf_add_str(&text, "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n");
	for (int i = 1; i < 9; i++) {
		buf_printf(&text, "a%d: &a%d [", i, i);
		for (int k = 0; k < 10; k++)
			buf_printf(&text, "%s*a%d", k ? ", " : "", i - 1);
		buf_add_str(&text, "]\n");
	}
	assert_refused(buf_cstr(&text), "p.yml:6:10: more than 200000 values (those of an alias "
					"count wherever it is used)");
}

static void booleans_are_those_of_yaml_1_1(void **state)
{
	struct yaml_document document =
		parse("{a: yes, b: Off, c: TRUE, d: 'true', e: 1, f: y, g: [on]}");
	bool value = false;

	(void)state;
	assert_int_equal(yaml_bool(yaml_get(document.root, "a"), &value), 0);
	assert_true(value);
	assert_int_equal(yaml_bool(yaml_get(document.root, "b"), &value), 0);
	assert_false(value);
	assert_int_equal(yaml_bool(yaml_get(document.root, "c"), &value), 0);
	assert_true(value);
	for (const char *key = "defgh"; *key; key++) {
		const char name[] = { *key, '\0' };
		assert_int_equal(yaml_bool(yaml_get(document.root, name), &value), -1);
	}
	yaml_release(&document);
}

static void what_is_missing_reads_as_null(void **state)
{
	struct yaml_document document = parse("a: {b: 1}\nc: ~\n");

	(void)state;
	assert_null(yaml_get(document.root, "x"));
	assert_null(yaml_get(NULL, "x"));
	assert_null(yaml_get(yaml_get(document.root, "c"), "x"));
	assert_null(yaml_string(yaml_get(document.root, "a")));
	assert_null(yaml_string(yaml_get(document.root, "c")));
	assert_null(yaml_string(NULL));
	yaml_release(&document);
}

static void errors_of_the_caller_get_the_place(void **state)
{
	struct yaml_document document = parse("a:\n  b: 1\n");
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(yaml_error(&document, yaml_get(yaml_get(document.root, "a"), "b"),
				    ERR_CONFIG_INVALID, &err, "'%s' is no size", "b"),
			 -1);
	assert_int_equal(err.code, ERR_CONFIG_INVALID);
	assert_string_equal(err.message, "p.yml:2:6: 'b' is no size");
	err_release(&err);
	yaml_release(&document);
}

static void a_directory_and_a_missing_file_are_errors(void **state)
{
	struct yaml_document document;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(yaml_read("/", &document, &err), -1);
	assert_string_equal(err.message, "'/' is a directory where a YAML file is expected");
	err_release(&err);
	assert_int_equal(yaml_read("/nonexistent/p.yml", &document, &err), -1);
	assert_int_equal(err.code, ERR_FILE);
	err_release(&err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_document_becomes_a_tree),
		cmocka_unit_test(every_node_knows_its_place),
		cmocka_unit_test(a_key_given_twice_is_refused_with_both_places),
		cmocka_unit_test(aliases_stand_for_their_anchor),
		cmocka_unit_test(an_alias_inside_its_own_anchor_is_refused),
		cmocka_unit_test(merge_keys_are_resolved_as_pyyaml_does),
		cmocka_unit_test(unquoted_jinja_is_refused_with_the_cure),
		cmocka_unit_test(tabs_are_called_tabs),
		cmocka_unit_test(a_syntax_error_names_where_it_began),
		cmocka_unit_test(a_second_document_is_refused),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(depth_counts_through_aliases),
		cmocka_unit_test(values_are_counted_wherever_an_alias_repeats_them),
		cmocka_unit_test(booleans_are_those_of_yaml_1_1),
		cmocka_unit_test(what_is_missing_reads_as_null),
		cmocka_unit_test(errors_of_the_caller_get_the_place),
		cmocka_unit_test(a_directory_and_a_missing_file_are_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
