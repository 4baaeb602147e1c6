/*
 * route_support: two sides made in a test, their routes, and what a test says of them.
 *
 *     WORLD = { BOTH, .options = "--from staging --to prod --tags mart" };
 *     resolved(&w);
 *     in_scope(&w, "model.shop.orders", "tag 'mart'");
 *
 * Ownership: a world releases itself at the end of its block.
 */
#ifndef AIRLOCK_TEST_ROUTE_SUPPORT_H
#define AIRLOCK_TEST_ROUTE_SUPPORT_H

#include "airlock/base/strv.h"
#include "airlock/deploy/route.h"
#include "airlock/deploy/route_check.h"
#include "made.h"

#define NODES(...)                                                                                 \
	(const struct made_node[]) { __VA_ARGS__ },                                                \
		ARRAY_LEN(((const struct made_node[]) { __VA_ARGS__ }))

/* Two sides and what was asked for. `to` without nodes: there is none. */
struct world {
	const char *adapter;                   /* NULL: postgres */
	const char *options;                   /* NULL: --from staging --to prod */
	const char *selected, *allowed_shared; /* unique_ids; NULL: none given */
	const struct made_node *from;
	size_t from_count;
	const struct made_node *to;
	size_t to_count;

	struct config config;
	struct manifest *from_manifest;
	struct manifest *to_manifest;
	struct strv selected_ids, allowed_ids;
	struct routes routes;
	struct err err;
	int result;
};

#define WORLD CLEANUP(world_release) struct world w

/* The sides of most tests. */
extern const struct made_node staging[6];
extern const struct made_node prod[4];

#define BOTH                                                                                       \
	.from = staging, .from_count = ARRAY_LEN(staging), .to = prod, .to_count = ARRAY_LEN(prod)
#define STAGING .from = staging, .from_count = ARRAY_LEN(staging)

/* w->result says whether they were. */
void resolve(struct world *w);
void world_release(struct world *w);
/* Fails the test when there are none. */
void resolved(struct world *w);
const struct route *of(const struct world *w, const char *unique_id);
void in_scope(const struct world *w, const char *unique_id, const char *reason);
void out_of_scope(const struct world *w, const char *unique_id, const char *reason);
void goes_to(const struct world *w, const char *unique_id, const char *place);
/* Resolving is refused, or the first conflict that it found is this one. */
void refused(struct world *w, enum err_code code, const char *message, const char *hint);
void accepted(struct world *w);
/* One of the warnings has this text in it. */
void warns(const struct world *w, const char *text);

#endif
