#include "airlock/base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "airlock/base/host.h"
#include "airlock/base/strv.h"

enum {
	CHUNK = 64 * 1024,
	LOCK_TRIES = 16,
};

/* What can be done about it, where that is not said by what it is. */
static int hint(struct err *err, int reason)
{
	if (reason == ENOSPC || reason == EDQUOT)
		return err_hint(err, "make room there, then run it again");
	if (reason == EROFS || reason == EACCES)
		return err_hint(err, "make it writable, then run it again");
	return -1;
}

static int fail(struct err *err, const char *what, const char *path)
{
	int reason = errno;

	err_set(err, ERR_FILE, "cannot %s '%s': %s", what, path, strerror(reason));
	return hint(err, reason);
}

static int open_retrying(const char *path, int flags, mode_t mode)
{
	int fd;

	do
		fd = open(path, flags | O_CLOEXEC | O_NOCTTY, mode);
	while (fd < 0 && errno == EINTR);
	return fd;
}

static ssize_t read_retrying(int fd, char *data, size_t len)
{
	ssize_t n;

	do
		n = read(fd, data, len);
	while (n < 0 && errno == EINTR);
	return n;
}

/* Fewer at the end of the file, or where it cannot be read. */
static size_t read_up_to(int fd, char *data, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len && (n = read_retrying(fd, data + done, len - done)) > 0)
		done += (size_t)n;
	return done;
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int sync_retrying(int fd)
{
	int result;

	do
		result = fsync(fd);
	while (result && errno == EINTR);
	return result;
}

/* Closes without losing the errno of what went wrong before. */
static void close_keeping_errno(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
}

int fs_list(const char *directory, struct strv *ret_names, struct err *err)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;

	if (!dir)
		return fail(err, "list", directory);
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			strv_push(ret_names, entry->d_name);
	closedir(dir);
	strv_sort(ret_names);
	return 0;
}

static int read_to_end(int fd, const char *path, size_t limit, struct buf *content, struct err *err)
{
	CLEANUP(mem_free_string) char *chunk = mem_realloc(NULL, CHUNK, 1);
	ssize_t n;

	while ((n = read_retrying(fd, chunk, CHUNK)) > 0) {
		if ((size_t)n > limit - content->len)
			return err_set(err, ERR_FILE, "'%s' is larger than the limit of %zu bytes",
				       path, limit);
		buf_add(content, chunk, (size_t)n);
	}
	return n < 0 ? fail(err, "read", path) : 0;
}

size_t fs_head(const char *path, size_t limit, char *ret_bytes)
{
	int fd = open_retrying(path, O_RDONLY | O_NONBLOCK, 0);
	size_t n = 0;

	if (fd < 0)
		return 0;
	n = read_up_to(fd, ret_bytes, limit);
	close(fd);
	return n;
}

int fs_read(const char *path, size_t limit, struct buf *ret_content, struct err *err)
{
	struct buf content;
	int fd = open_retrying(path, O_RDONLY, 0);
	int result;

	if (fd < 0)
		return fail(err, "read", path);
	buf_init_limit(&content, limit ? limit : 1);
	result = read_to_end(fd, path, limit, &content, err);
	close(fd);
	if (result)
		buf_release(&content);
	else
		*ret_content = content;
	return result;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* 1: it changed meanwhile. */
static int read_once(int fd, const char *path, const struct stat *before, struct buf *content,
		     struct err *err)
{
	size_t size = (size_t)before->st_size;
	struct stat after, now;
	ssize_t n = 1;

	content->cap = size + 1;
	content->data = mem_large(content->cap);
	while (content->len < size &&
	       (n = read_retrying(fd, content->data + content->len, size - content->len)) > 0)
		content->len += (size_t)n;
	content->data[content->len] = '\0';
	if (n < 0 || fstat(fd, &after))
		return fail(err, "read", path);
	if (stat(path, &now))
		return errno == ENOENT ? 1 : fail(err, "read", path);
	return content->len < size || !is_same_file(before, &after) || !is_same_file(before, &now);
}

/* 1: it changed meanwhile. A pipe cannot be read again, nor changed behind our back. */
static int open_and_read(const char *path, size_t limit, struct buf *content, struct err *err)
{
	int fd = open_retrying(path, O_RDONLY, 0);
	struct stat before;
	int result;

	if (fd < 0 || fstat(fd, &before))
		result = fail(err, "read", path);
	else if (!S_ISREG(before.st_mode))
		result = read_to_end(fd, path, limit, content, err);
	else if ((uintmax_t)before.st_size > limit)
		result = err_set(err, ERR_FILE, "'%s' is larger than the limit of %zu bytes", path,
				 limit);
	else
		result = read_once(fd, path, &before, content, err);
	if (fd >= 0)
		close(fd);
	return result;
}

int fs_read_steady(const char *path, size_t limit, struct buf *ret_content, struct err *err)
{
	struct buf content;
	int result = 1;

	for (int i = 0; i < 2 && result > 0; i++) {
		buf_init_limit(&content, limit ? limit : 1);
		result = open_and_read(path, limit, &content, err);
		if (result)
			buf_release(&content);
	}
	if (result > 0)
		return err_set(err, ERR_FILE, "'%s' keeps changing while it is read", path);
	if (result == 0)
		*ret_content = content;
	return result;
}

int fs_pieces_open(const char *path, size_t limit, struct fs_pieces *ret_pieces)
{
	struct fs_pieces pieces = { .fd = open_retrying(path, O_RDONLY, 0), .path = path };

	if (pieces.fd < 0)
		return -1;
	if (fstat(pieces.fd, &pieces.before) || !S_ISREG(pieces.before.st_mode) ||
	    (uintmax_t)pieces.before.st_size > limit) {
		close(pieces.fd);
		return -1;
	}
	pieces.left = (size_t)pieces.before.st_size;
	*ret_pieces = pieces;
	return 0;
}

size_t fs_pieces_read(struct fs_pieces *pieces, char *data, size_t len)
{
	size_t done = read_up_to(pieces->fd, data, len < pieces->left ? len : pieces->left);

	pieces->left -= done;
	return done;
}

bool fs_pieces_close(struct fs_pieces *pieces)
{
	struct stat after, now;
	bool steady = pieces->left == 0 && fstat(pieces->fd, &after) == 0 &&
		      stat(pieces->path, &now) == 0 && is_same_file(&pieces->before, &after) &&
		      is_same_file(&pieces->before, &now);

	close(pieces->fd);
	return steady;
}

/* So that a name made or replaced in `path`'s directory outlives a power cut. Some file systems
 * cannot sync a directory: then there is nothing more to do. */
static void sync_parent(const char *path)
{
	CLEANUP(mem_free_string) char *dir = fs_parent(path);
	int fd = open_retrying(dir, O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0)
		return;
	sync_retrying(fd);
	close(fd);
}

/* The new content of `path` on its way: a temporary file beside it. */
struct replacement {
	const char *path;
	char *temporary;
	int fd;
};

static int replacement_begin(struct replacement *new, const char *path, mode_t mode,
			     struct err *err)
{
	CLEANUP(mem_free_string) char *dir = fs_parent(path);
	char random[17];
	char name[sizeof(".airlock-") + sizeof(random)];

	/* O_EXCL with a name of our own, not mkstemp(3): the mode obeys the umask. */
	host_random_hex(random, 8);
	snprintf(name, sizeof(name), ".airlock-%s", random);
	new->path = path;
	new->temporary = fs_join(dir, name);
	new->fd = open_retrying(new->temporary, O_WRONLY | O_CREAT | O_EXCL, mode);
	if (new->fd >= 0)
		return 0;
	mem_free_string(&new->temporary);
	return fail(err, "write", path);
}

static int replacement_abandon(struct replacement *new, struct err *err)
{
	fail(err, "write", new->path);
	close(new->fd);
	unlink(new->temporary);
	mem_free_string(&new->temporary);
	return -1;
}

static int replacement_finish(struct replacement *new, struct err *err)
{
	if (sync_retrying(new->fd) || rename(new->temporary, new->path))
		return replacement_abandon(new, err);
	close(new->fd);
	mem_free_string(&new->temporary);
	sync_parent(new->path);
	return 0;
}

int fs_write_atomic(const char *path, const char *data, size_t len, mode_t mode, struct err *err)
{
	struct replacement new;

	if (replacement_begin(&new, path, mode, err))
		return -1;
	if (write_all(new.fd, data, len))
		return replacement_abandon(&new, err);
	return replacement_finish(&new, err);
}

static int copy_content(int from_fd, const char *from, struct replacement *new, struct err *err)
{
	CLEANUP(mem_free_string) char *chunk = mem_realloc(NULL, CHUNK, 1);
	ssize_t n;

	while ((n = read_retrying(from_fd, chunk, CHUNK)) > 0)
		if (write_all(new->fd, chunk, (size_t)n))
			return replacement_abandon(new, err);
	if (n < 0) {
		int reason = errno;

		replacement_abandon(new, err);
		errno = reason;
		return fail(err, "read", from);
	}
	return replacement_finish(new, err);
}

int fs_copy(const char *from, const char *to, struct err *err)
{
	struct replacement new;
	struct stat st;
	int fd = open_retrying(from, O_RDONLY, 0);
	int result = -1;

	if (fd < 0)
		return fail(err, "read", from);
	if (fstat(fd, &st))
		fail(err, "read", from);
	else if (replacement_begin(&new, to, st.st_mode & 0777, err) == 0)
		result = copy_content(fd, from, &new, err);
	close(fd);
	return result;
}

/* mkdir(2) may say something else than EEXIST of an existing directory (a read-only file system,
 * a mount point): what counts is that it is there. */
static int make_directory(const char *path, struct err *err)
{
	int reason;

	if (mkdir(path, 0777) == 0)
		return 0;
	reason = errno;
	if (fs_is_directory(path))
		return 0;
	errno = reason == EEXIST ? ENOTDIR : reason;
	return fail(err, "create the directory", path);
}

int fs_make_directories(const char *path, struct err *err)
{
	CLEANUP(mem_free_string) char *partial = mem_strdup(path);
	char *end = partial;

	while (*end) {
		char saved;

		end += strspn(end, "/");
		end += strcspn(end, "/");
		saved = *end;
		*end = '\0';
		if (make_directory(partial, err))
			return -1;
		*end = saved;
	}
	return 0;
}

int fs_remove(const char *path, struct err *err)
{
	if (unlink(path) && errno != ENOENT)
		return fail(err, "remove", path);
	return 0;
}

int fs_touch(const char *path, struct err *err)
{
	int fd = open_retrying(path, O_WRONLY | O_CREAT, 0666);

	if (fd < 0)
		return fail(err, "create", path);
	close(fd);
	return 0;
}

/* A writer that died may have left half a record: the next one must not continue its line. */
static int end_torn_record(int fd)
{
	struct stat st;
	char last;
	ssize_t n;

	if (fstat(fd, &st))
		return -1;
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return 0;
	do
		n = pread(fd, &last, 1, st.st_size - 1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -1;
	return n == 1 && last != '\n' ? write_all(fd, "\n", 1) : 0;
}

int fs_log_open(const char *path, struct fs_log *ret_log, struct err *err)
{
	int fd = open_retrying(path, O_RDWR | O_APPEND | O_CREAT, 0666);

	if (fd < 0)
		return fail(err, "open", path);
	if (end_torn_record(fd)) {
		close_keeping_errno(fd);
		return fail(err, "open", path);
	}
	sync_parent(path);
	*ret_log = (struct fs_log) { .fd = fd };
	return 0;
}

/* After a failure what was written of the record is taken back, as far as that is possible. */
int fs_log_append(struct fs_log *log, const char *data, size_t len, struct err *err)
{
	off_t before = lseek(log->fd, 0, SEEK_END);

	if (write_all(log->fd, data, len) || sync_retrying(log->fd)) {
		int reason = errno;

		err_set(err, ERR_FILE, "cannot write a record: %s", strerror(reason));
		hint(err, reason);
		if (before >= 0 && ftruncate(log->fd, before) == 0)
			sync_retrying(log->fd);
		return -1;
	}
	return 0;
}

void fs_log_close(struct fs_log *log)
{
	if (log->fd >= 0)
		close(log->fd);
	log->fd = -1;
}

/* NFS locks for writing only what is open for writing; elsewhere reading is enough. */
static int open_for_lock(const char *path)
{
	int fd = open_retrying(path, O_RDWR, 0);

	if (fd < 0 && (errno == EACCES || errno == EPERM || errno == EROFS || errno == EISDIR))
		fd = open_retrying(path, O_RDONLY, 0);
	return fd;
}

static bool leads_to(const char *path, int fd)
{
	struct stat named, opened;

	return stat(path, &named) == 0 && fstat(fd, &opened) == 0 &&
	       named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

int fs_lock_try(const char *path, struct fs_lock *ret_lock, struct err *err)
{
	/* The file may be replaced between open and flock: a lock on the old one excludes no
	 * one who comes later. */
	for (int i = 0; i < LOCK_TRIES; i++) {
		int fd = open_for_lock(path);
		int result;

		if (fd < 0)
			return fail(err, "lock", path);
		do
			result = flock(fd, LOCK_EX | LOCK_NB);
		while (result && errno == EINTR);
		if (result == 0 && leads_to(path, fd)) {
			*ret_lock = (struct fs_lock) { .fd = fd };
			return 0;
		}
		close_keeping_errno(fd);
		if (result)
			return errno == EWOULDBLOCK ? 1 : fail(err, "lock", path);
	}
	return err_set(err, ERR_FILE, "cannot lock '%s': it is replaced again and again", path);
}

void fs_lock_release(struct fs_lock *lock)
{
	if (lock->fd < 0)
		return;
	/* Not left to close(2): a child that was just forked may still hold the descriptor. */
	flock(lock->fd, LOCK_UN);
	close(lock->fd);
	lock->fd = -1;
}
