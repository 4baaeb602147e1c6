/*
 * forker: a helper that loads a program once and then forks a copy of itself for each child, so
 * that loading is paid once. A proc_spec that names it is asked of it first; when it declines, for
 * whatever reason, the spec's argv is executed as ever.
 *
 * The helper is an interpreter. Its stdin is one end of a private socket, in which it finds the
 * text to execute; there it says "ready", or anything else for no. Each request is a message with
 * five descriptors: what becomes 0, 1 and 2 of the child, the child's link, and a memory file of
 * texts that each end in NUL: "hold" to have INT, TERM and HUP blocked, the directory ("": the
 * helper's), the number of arguments, the arguments, the environment. The child, in a group of its
 * own and with a parent-death signal, says "pid N" on its link and waits for "go", so that nothing
 * was run while anything can go wrong. The helper then says "end STATUS" (of waitpid) and reaps
 * the child once the link is closed: pid and group cannot become somebody else's before.
 *
 * Life cycle: forker_start() returns before the text is loaded, the first child waits for that;
 *             forker_free() kills the helper, and its children die with it, as they do when it is
 *             killed by others, and it when airlock dies.
 * Errors:     none: NULL or a forker that declines.
 */
#ifndef AIRLOCK_BASE_FORKER_H
#define AIRLOCK_BASE_FORKER_H

#include <stddef.h>

struct forker;

/* The text is copied, at most FORKER_TEXT_LIMIT bytes. */
struct forker *forker_start(char *const *argv, char *const *envp, const char *text, size_t len);
void forker_free(struct forker *forker); /* NULL is allowed */

/* One message of a socket with the smallest buffers that systems have. */
#define FORKER_TEXT_LIMIT ((size_t)64 << 10)

#endif
