/*
 * config_internal: what option.c (the table), config.c (the values), config_value.c (reading one,
 * arguments, environment), config_project.c (dbt_project.yml and --vars) and config_side.c share.
 */
#ifndef AIRLOCK_DEPLOY_CONFIG_INTERNAL_H
#define AIRLOCK_DEPLOY_CONFIG_INTERNAL_H

#include "airlock/deploy/config.h"

/* Where a value stands. Borrowed. */
struct option_place {
	enum option_source source;
	const char *name;   /* as messages name it: with the whole path */
	const char *origin; /* as `airlock config` names it */
	bool items;         /* the pieces are items of a YAML collection: a comma belongs to them */
};

const struct option_row *option_find_key(const char *key); /* NULL: unknown */
bool option_is_among(const char *word, const char *const *words, size_t n);
bool option_is_strategy(const char *name);
/* A name that a later version gives a meaning. */
bool option_is_later_strategy(const char *name);
const char *option_nearest_strategy(const char *word); /* of both kinds; NULL: none is near */

/*
 * Reads a value out of its pieces (at least one; only lists, words and maps take more) and keeps
 * it unless a stronger source has spoken. `config` NULL: only checked.
 */
int option_set(struct config *config, const struct option_place *place,
	       const struct option_row *row, const struct strv *pieces, struct err *err);

enum option_id option_environment_of(enum option_id side);
/* The environment of a target that a stronger source has replaced. */
bool option_is_overruled(const struct config *config, enum option_id id);

int64_t option_number(const char *text); /* of a text that was read: seconds of a duration */

int option_no_value(const struct option_place *place, const struct option_row *row,
		    struct err *err);
int option_refuse_project_only(const struct option_row *row, const char *where, struct err *err);
int option_refuse_command_line_only(const struct option_row *row, const char *where,
				    struct err *err);

#endif
