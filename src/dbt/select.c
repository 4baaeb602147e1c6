#include "airlock/dbt/select.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "select_internal.h"

static int compare_positions(const void *a, const void *b)
{
	const struct position *x = a;
	const struct position *y = b;

	return (x->node > y->node) - (x->node < y->node);
}

static size_t position_of(const struct selection *s, const struct manifest_node *node)
{
	struct position key = { .node = node };
	const struct position *found =
		bsearch(&key, s->positions, s->n, sizeof(*s->positions), compare_positions);

	return found ? found->at : 0;
}

static void read_version(struct selection *s)
{
	unsigned minor = 0;
	unsigned patch = 0;

	if (sscanf(manifest_dbt_version(s->manifest), "%u.%u.%u", &s->major, &minor, &patch) < 2)
		return;
	s->refuses_unknown = s->major < 1 || (s->major == 1 && minor <= 11);
	if (s->major == 1 && minor == 11 && patch >= 16)
		s->leaf_rule = LEAF_MATCHES;
	else if (s->major == 1 && (minor < 10 || (minor == 11 && patch <= 14)))
		s->leaf_rule = LEAF_IGNORED;
}

static void selection_init(struct selection *s, const struct manifest *manifest)
{
	*s = (struct selection) { .manifest = manifest, .n = manifest_count(manifest) };
	s->positions = mem_alloc((s->n + 1) * sizeof(*s->positions));
	for (size_t i = 0; i < s->n; i++)
		s->positions[i] = (struct position) { manifest_node(manifest, i), i };
	qsort(s->positions, s->n, sizeof(*s->positions), compare_positions);
	read_version(s);
}

static void selection_release(struct selection *s)
{
	free(s->positions);
	strv_release(&s->root_paths);
}

static void fill(bool *set, size_t n, bool value)
{
	for (size_t i = 0; i < n; i++)
		set[i] = value;
}

/* Adds to `set` what is up to `depth` edges above or below the nodes of `start`. */
static void spread(const struct selection *s, const bool *start, size_t depth, bool up, bool *set)
{
	size_t *queue = mem_alloc((s->n + 1) * sizeof(*queue));
	bool *seen = mem_alloc(s->n + 1);
	size_t from = 0;
	size_t to = 0;

	for (size_t i = 0; i < s->n; i++) {
		seen[i] = start[i];
		if (start[i])
			queue[to++] = i;
	}
	for (size_t level = 0; level < depth && from < to; level++) {
		for (size_t end = to; from < end; from++) {
			const struct manifest_node *node = manifest_node(s->manifest, queue[from]);
			size_t n = up ? node->parent_count : node->child_count;

			for (size_t i = 0; i < n; i++) {
				size_t at =
					position_of(s, up ? node->parents[i] : node->children[i]);
				if (!seen[at])
					queue[to++] = at;
				seen[at] = true;
			}
		}
	}
	for (size_t i = 0; i < to; i++)
		set[queue[i]] = true;
	free(queue);
	free(seen);
}

static void evaluate(struct selection *s, const struct criterion *c, bool *set)
{
	bool *start = mem_alloc(s->n + 1);

	criterion_match(s, c, start);
	memcpy(set, start, s->n);
	spread(s, start, c->parents, true, set);
	spread(s, start, c->children, false, set);
	free(start);
}

/* The union of the intersections. */
static void evaluate_all(struct selection *s, const struct criteria *criteria, bool *set)
{
	bool *common = mem_alloc(s->n + 1);
	bool *one = mem_alloc(s->n + 1);

	fill(common, s->n, true);
	for (size_t i = 0; i < criteria->n; i++) {
		evaluate(s, &criteria->v[i], one);
		for (size_t k = 0; k < s->n; k++)
			common[k] = common[k] && one[k];
		if (!criteria->v[i].ends_intersection)
			continue;
		for (size_t k = 0; k < s->n; k++)
			set[k] = set[k] || common[k];
		fill(common, s->n, true);
	}
	free(common);
	free(one);
}

static int check(const struct selection *s, const struct criteria *criteria,
		 enum select_answer *answer, struct err *err)
{
	for (size_t i = 0; i < criteria->n; i++) {
		const struct criterion *c = &criteria->v[i];

		if (c->is_refused && s->refuses_unknown)
			return criterion_refuse(c, err);
		if (c->method == METHOD_ASK)
			*answer = SELECT_ASK_DBT;
	}
	return 0;
}

static bool is_wanted(const struct manifest_node *node)
{
	return node->type == MANIFEST_MODEL || node->type == MANIFEST_SEED ||
	       node->type == MANIFEST_SNAPSHOT;
}

static void answer_here(struct selection *s, const struct criteria *select,
			const struct criteria *exclude, struct strv *ret_unique_ids,
			enum select_answer *answer)
{
	bool *in = mem_alloc(s->n + 1);
	bool *out = mem_alloc(s->n + 1);

	if (select->n == 0)
		fill(in, s->n, true);
	evaluate_all(s, select, in);
	evaluate_all(s, exclude, out);
	if (s->uncertain)
		*answer = SELECT_ASK_DBT;
	for (size_t i = 0; i < s->n && !s->uncertain; i++) {
		const struct manifest_node *node = manifest_node(s->manifest, i);
		if (in[i] && !out[i] && is_wanted(node))
			strv_push(ret_unique_ids, node->unique_id);
	}
	strv_sort(ret_unique_ids);
	free(in);
	free(out);
}

int select_nodes(const struct manifest *manifest, const struct strv *select,
		 const struct strv *exclude, struct strv *ret_unique_ids,
		 enum select_answer *ret_answer, struct err *err)
{
	CLEANUP(criteria_release) struct criteria wanted = { 0 };
	CLEANUP(criteria_release) struct criteria unwanted = { 0 };
	CLEANUP(selection_release) struct selection s;
	enum select_answer answer = SELECT_ANSWERED;

	selection_init(&s, manifest);
	criteria_parse(select, &wanted);
	criteria_parse(exclude, &unwanted);
	if (check(&s, &wanted, &answer, err) < 0 || check(&s, &unwanted, &answer, err) < 0)
		return -1;
	if (answer == SELECT_ANSWERED)
		answer_here(&s, &wanted, &unwanted, ret_unique_ids, &answer);
	*ret_answer = answer;
	return 0;
}

bool select_is_known(const struct strv *words)
{
	CLEANUP(criteria_release) struct criteria criteria = { 0 };

	criteria_parse(words, &criteria);
	for (size_t i = 0; i < criteria.n; i++)
		if (criteria.v[i].method == METHOD_ASK)
			return false;
	return true;
}
