/*
 * publication_foreign: what containers that are exchanged hold and no node makes. Not for others
 * than publication_containers.c.
 *
 * Names: an object as messages and patterns name it; free() it.
 */
#ifndef AIRLOCK_DEPLOY_PUBLICATION_FOREIGN_H
#define AIRLOCK_DEPLOY_PUBLICATION_FOREIGN_H

#include "airlock/deploy/publication.h"

/* "'it' cannot be exchanged: what: a, b"; 0 where the list is empty. */
void foreign_add(struct buf *list, const char *kind, const char *name);
int foreign_refuse(const struct container *container, const char *what, const char *hint,
		   struct err *err);
int foreign_refuse_list(const struct container *container, struct buf *list, const char *format,
			const char *hint, struct err *err);
/* The container as messages name it: a file by its path. */
const char *foreign_shown(const struct container *container);

/* Whether a node of the scope makes the object in the schema, database or file. */
bool foreign_is_made(const struct publication *w, const struct relation *schema, bool in_production,
		     const struct container_object *object);
/* Whether deployments have made what production's container holds, or its successor is there. */
bool foreign_is_known(const struct publication *w, const struct publish_container *c,
		      const struct container_object *object);
/* Of a container that begins as a clone: what comes along, and what must not. */
void foreign_choose(struct publication *w, struct publish_container *c);
/* Objects that no node makes would leave production with the old one. */
int foreign_check(struct publication *w, const struct publish_container *c, struct err *err);

#endif
