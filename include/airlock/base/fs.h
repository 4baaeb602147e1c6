/*
 * fs: the only opener of files. Every descriptor is close-on-exec; files are read, never mapped.
 *
 * Ownership: paths are borrowed; returned strings are freed by the caller.
 * Errors:    ERR_FILE, the message naming the path and the system's reason.
 */
#ifndef AIRLOCK_BASE_FS_H
#define AIRLOCK_BASE_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "airlock/base/buf.h"
#include "airlock/base/err.h"
#include "airlock/base/strv.h"

/* Which file a path leads to, whatever its name. */
struct fs_identity {
	dev_t device;
	ino_t inode;
};

char *fs_join(const char *dir, const char *name); /* an absolute name stays as it is */
char *fs_absolute(const char *path);       /* against the cwd; symbolic links and ".." stay */
char *fs_real(const char *path);           /* realpath(3), NULL when it does not exist */
char *fs_parent(const char *path);         /* "/" is its own parent */
const char *fs_basename(const char *path); /* borrowed; "" after a slash at the end */
char *fs_cwd(struct err *err);             /* NULL on error */

bool fs_exists(const char *path);
bool fs_is_directory(const char *path);
bool fs_is_regular(const char *path);
bool fs_is_executable(const char *path); /* a regular file that may be executed */
bool fs_identify(const char *path, struct fs_identity *ret_identity); /* follows links */
bool fs_identity_equal(const struct fs_identity *a, const struct fs_identity *b);
size_t fs_head(const char *path, size_t limit, char *ret_bytes); /* its first bytes; 0: none */

/* What tells whether a file was written since; follows links. False when there is none. */
struct fs_stamp {
	uint64_t size;
	int64_t mtime_ns;
};

bool fs_stamp(const char *path, struct fs_stamp *ret_stamp);

/* Bytes that a user may still write where the path is. False: it cannot be told. */
bool fs_free_bytes(const char *path, uint64_t *ret_bytes);

/* The names in a directory, sorted, without "." and "..". */
int fs_list(const char *directory, struct strv *ret_names, struct err *err);

/* The whole file, at most `limit` bytes (more is an error that names the limit). What ret_content
 * held is not released. */
int fs_read(const char *path, size_t limit, struct buf *ret_content, struct err *err);

/* The same for a large file that another program may be writing: size, time and identity are
 * compared before and after, a change is read once more, a second one is an error. */
int fs_read_steady(const char *path, size_t limit, struct buf *ret_content, struct err *err);

/* The same piece by piece, without the whole of it in memory. */
struct fs_pieces {
	int fd;
	const char *path; /* borrowed */
	struct stat before;
	size_t left; /* bytes to come */
};

/* -1: no regular file of at most `limit` bytes that can be read; fs_read_steady() says which. */
int fs_pieces_open(const char *path, size_t limit, struct fs_pieces *ret_pieces);
/* Up to `len` bytes; fewer at the end, 0 where it came too early. */
size_t fs_pieces_read(struct fs_pieces *pieces, char *data, size_t len);
/* True: all was read, and nobody changed it meanwhile. */
bool fs_pieces_close(struct fs_pieces *pieces);

/* A reader sees the old or the new file: temporary file beside it, fsync, rename. */
int fs_write_atomic(const char *path, const char *data, size_t len, mode_t mode, struct err *err);
int fs_copy(const char *from, const char *to, struct err *err); /* by fs_write_atomic */

int fs_make_directories(const char *path, struct err *err); /* mkdir -p */
int fs_remove(const char *path, struct err *err);           /* a file; missing is success */
int fs_remove_directory(const char *path, struct err *err); /* with its files; not deeper */
int fs_touch(const char *path, struct err *err);            /* creates an empty file if missing */

/*
 * Append-only file of records that end in a newline: each fs_log_append() is one write followed
 * by fsync, taken back when it fails. A torn last record is ended on opening. -1 closed.
 */
struct fs_log {
	int fd;
};

#define FS_LOG_CLOSED                                                                              \
	{                                                                                          \
		-1                                                                                 \
	}

int fs_log_open(const char *path, struct fs_log *ret_log, struct err *err);
int fs_log_append(struct fs_log *log, const char *data, size_t len, struct err *err);
void fs_log_close(struct fs_log *log);

/*
 * An advisory lock on an existing file (flock, exclusive), held until released or the process
 * dies; not inherited by children. Returns 1 when it is held by another process, 0 when got.
 */
struct fs_lock {
	int fd;
};

#define FS_LOCK_FREE                                                                               \
	{                                                                                          \
		-1                                                                                 \
	}

int fs_lock_try(const char *path, struct fs_lock *ret_lock, struct err *err);
void fs_lock_release(struct fs_lock *lock);

/*
 * The lock by which other programs keep writers away from what they read (fcntl, shared). 1 when
 * one of them writes. It ends with the first descriptor of the file that this process closes: do
 * not open it meanwhile.
 */
int fs_keep_writers_out(const char *path, struct fs_lock *ret_lock, struct err *err);
int fs_sync_locked(const struct fs_lock *lock, const char *path, struct err *err);
/* Owner, group and mode of `from` to `to`, which is at `path`; both are held by such a lock. */
int fs_give_mode(const struct fs_lock *from, const struct fs_lock *to, const char *path,
		 struct err *err);

/* Another name for the file, on the disk when it returns. */
int fs_link(const char *from, const char *to, struct err *err);
/* A symbolic link; what has the name is left and is an error. */
int fs_symlink(const char *target, const char *path, struct err *err);
bool fs_is_symlink(const char *path);
/* In the place of what has the name; on the disk after the second. */
int fs_rename(const char *from, const char *to, struct err *err);
int fs_sync_rename(const char *from, const char *to, struct err *err);

#endif
