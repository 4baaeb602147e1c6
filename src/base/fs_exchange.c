/* One file in the place of another, while programs that lock files by fcntl(2) may read both. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "airlock/base/fs.h"
#include "airlock/base/mem.h"

static int fail(struct err *err, const char *what, const char *path)
{
	return err_set(err, ERR_FILE, "cannot %s '%s': %s", what, path, strerror(errno));
}

/* Such a lock ends with the first descriptor of the file that this process closes. */
int fs_keep_writers_out(const char *path, struct fs_lock *ret_lock, struct err *err)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return fail(err, "open", path);
	if (fcntl(fd, F_SETLK, &lock) == 0) {
		ret_lock->fd = fd;
		return 0;
	}
	int cause = errno;

	close(fd);
	errno = cause;
	return cause == EAGAIN || cause == EACCES ? 1 : fail(err, "lock", path);
}

int fs_sync_locked(const struct fs_lock *lock, const char *path, struct err *err)
{
	return fsync(lock->fd) < 0 ? fail(err, "sync", path) : 0;
}

int fs_give_mode(const struct fs_lock *from, const struct fs_lock *to, const char *path,
		 struct err *err)
{
	struct stat wanted;
	struct stat own;

	if (fstat(from->fd, &wanted) < 0 || fstat(to->fd, &own) < 0)
		return fail(err, "look at", path);
	if ((wanted.st_uid != own.st_uid || wanted.st_gid != own.st_gid) &&
	    fchown(to->fd, wanted.st_uid, wanted.st_gid) < 0)
		return fail(err, "give owner and group of production to", path);
	if (fchmod(to->fd, wanted.st_mode & 07777) < 0)
		return fail(err, "give the mode of production to", path);
	return 0;
}

static int sync_directory_of(const char *path, struct err *err)
{
	char *directory CLEANUP(mem_free_string) = fs_parent(path);
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return fail(err, "open", directory);
	rc = fsync(fd) < 0 ? fail(err, "sync", directory) : 0;
	close(fd);
	return rc;
}

int fs_link(const char *from, const char *to, struct err *err)
{
	if (link(from, to) < 0)
		return fail(err, "link", to);
	return sync_directory_of(to, err);
}

int fs_symlink(const char *target, const char *path, struct err *err)
{
	return symlink(target, path) < 0 ? fail(err, "link", path) : 0;
}

bool fs_is_symlink(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

int fs_rename(const char *from, const char *to, struct err *err)
{
	return rename(from, to) < 0 ? fail(err, "rename", from) : 0;
}

int fs_sync_rename(const char *from, const char *to, struct err *err)
{
	if (sync_directory_of(to, err) < 0)
		return -1;
	return sync_directory_of(from, err);
}
