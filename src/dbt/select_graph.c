#include "select_internal.h"

#include <stdlib.h>
#include <string.h>

/* What a spec selects, and the tests that would come with it if more of their parents did. */
struct sets {
	bool *direct;
	bool *indirect;
};

static bool *set_new(const struct selection *s)
{
	return mem_alloc(s->n + 1);
}

static struct sets sets_new(const struct selection *s)
{
	return (struct sets) { set_new(s), set_new(s) };
}

static void sets_free(struct sets *sets)
{
	free(sets->direct);
	free(sets->indirect);
}

static size_t position(const struct selection *s, const struct manifest_node *node)
{
	return manifest_position(s->manifest, node);
}

/* Adds to `set` what is up to `depth` edges above or below the nodes of `start`. */
static void spread(const struct selection *s, const bool *start, size_t depth, bool up, bool *set)
{
	size_t *queue = mem_alloc((s->n + 1) * sizeof(*queue));
	bool *seen = set_new(s);
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
				size_t at = position(s, up ? node->parents[i] : node->children[i]);
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

static void add_neighbors(const struct selection *s, const struct criterion *c, const bool *start,
			  bool *set)
{
	if (c->childrens_parents) {
		bool *children = set_new(s);

		spread(s, start, SELECT_NO_LIMIT, false, children);
		spread(s, children, SELECT_NO_LIMIT, true, set);
		free(children);
	}
	if (c->has_parents)
		spread(s, start, c->parents, true, set);
	if (c->has_children)
		spread(s, start, c->children, false, set);
}

static bool has_all_parents(const struct selection *s, const struct manifest_node *node,
			    const bool *set)
{
	for (size_t i = 0; i < node->parent_count; i++)
		if (!set[position(s, node->parents[i])])
			return false;
	return true;
}

/* What a buildable test may read: what is selected, all that it reads, and every source. */
static bool *buildable_of(const struct selection *s, const bool *selected)
{
	bool *set = set_new(s);

	spread(s, selected, SELECT_NO_LIMIT, true, set);
	for (size_t i = 0; i < s->n; i++)
		if (manifest_node(s->manifest, i)->type == MANIFEST_SOURCE)
			set[i] = true;
	return set;
}

static void expand_one(const struct selection *s, const struct manifest_node *test,
		       enum select_indirect mode, const bool *selected, const bool *buildable,
		       struct sets *sets)
{
	bool comes = mode == SELECT_EAGER || has_all_parents(s, test, selected) ||
		     (mode == SELECT_BUILDABLE && has_all_parents(s, test, buildable));

	if (comes)
		sets->direct[position(s, test)] = true;
	else
		sets->indirect[position(s, test)] = true;
}

/* NodeSelector.expand_selection(): the tests next to what is selected. */
static void expand(const struct selection *s, enum select_indirect mode, struct sets *sets)
{
	bool *selected = set_new(s);
	bool *buildable;

	memcpy(selected, sets->direct, s->n);
	buildable = mode == SELECT_BUILDABLE ? buildable_of(s, selected) : NULL;
	for (size_t i = 0; i < s->n; i++) {
		const struct manifest_node *node = manifest_node(s->manifest, i);

		for (size_t k = 0; selected[i] && k < node->child_count; k++)
			if (manifest_is_test(node->children[k]))
				expand_one(s, node->children[k], mode, selected, buildable, sets);
	}
	free(selected);
	free(buildable);
}

static int evaluate_criterion(struct selection *s, const struct spec *spec, struct sets *sets,
			      struct err *err)
{
	const struct criterion *c = &spec->criterion;
	bool *start = set_new(s);
	int rc = criterion_match(s, c, start, err);

	memcpy(sets->direct, start, s->n);
	if (spec->indirect != SELECT_EMPTY) {
		add_neighbors(s, c, start, sets->direct);
		expand(s, spec->indirect, sets);
	} else if (s->major != 1 || s->minor >= 10) {
		/* Up to 1.9 `empty` left the neighbors out as well. */
		add_neighbors(s, c, start, sets->direct);
	}
	free(start);
	return rc;
}

/* NodeSelector.incorporate_indirect_nodes(): tests whose parents are all there by now. */
static void incorporate(const struct selection *s, enum select_indirect mode, struct sets *sets)
{
	bool *selected;

	if ((mode != SELECT_CAUTIOUS && mode != SELECT_BUILDABLE) ||
	    memcmp(sets->direct, sets->indirect, s->n) == 0)
		return;
	selected = set_new(s);
	memcpy(selected, sets->direct, s->n);
	if (mode == SELECT_BUILDABLE)
		spread(s, sets->direct, SELECT_NO_LIMIT, true, selected);
	for (size_t i = 0; i < s->n; i++) {
		const struct manifest_node *node = manifest_node(s->manifest, i);

		/* Not unit tests, which dbt does not look for here. */
		if (sets->indirect[i] && node->type == MANIFEST_TEST &&
		    has_all_parents(s, node, selected))
			sets->direct[i] = true;
	}
	free(selected);
}

static void combine_one(enum spec_kind kind, bool *set, const bool *other, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (kind == SPEC_UNION)
			set[i] = set[i] || other[i];
		else if (kind == SPEC_INTERSECTION)
			set[i] = set[i] && other[i];
		else
			set[i] = set[i] && !other[i];
	}
}

static int evaluate(struct selection *s, const struct spec *spec, struct sets *sets,
		    struct err *err)
{
	int rc = 0;

	if (spec->kind == SPEC_CRITERION)
		return evaluate_criterion(s, spec, sets, err);
	for (size_t i = 0; i < spec->n && rc == 0; i++) {
		struct sets part = sets_new(s);

		/* Not deeper than SELECT_MAX_DEPTH: the tree was made with that limit. */
		rc = evaluate(s, spec->parts[i], &part, err);
		combine_one(SPEC_UNION, part.indirect, part.direct, s->n);
		if (i == 0) {
			memcpy(sets->direct, part.direct, s->n);
			memcpy(sets->indirect, part.indirect, s->n);
		} else {
			combine_one(spec->kind, sets->direct, part.direct, s->n);
			combine_one(spec->kind, sets->indirect, part.indirect, s->n);
		}
		sets_free(&part);
	}
	if (rc == 0)
		incorporate(s, spec->indirect, sets);
	return rc;
}

int spec_evaluate(struct selection *s, const struct spec *spec, bool *set, struct err *err)
{
	struct sets sets = sets_new(s);
	int rc = evaluate(s, spec, &sets, err);

	if (rc == 0)
		memcpy(set, sets.direct, s->n);
	sets_free(&sets);
	return rc;
}
