/* Names of files, and what they lead to; nothing is opened. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "airlock/base/fs.h"
#include "airlock/base/strv.h"

char *fs_join(const char *dir, const char *name)
{
	size_t len = strlen(dir);

	if (name[0] == '/' || len == 0)
		return mem_strdup(name);
	return mem_printf("%s%s%s", dir, dir[len - 1] == '/' ? "" : "/", name);
}

/* Leaves out "." and empty parts only: what ".." means depends on symbolic links. */
static char *without_dots(const char *path)
{
	CLEANUP(strv_release) struct strv parts = STRV_INIT;
	struct buf clean = BUF_INIT;

	strv_split(&parts, path, "/");
	for (size_t i = 0; i < parts.n; i++)
		if (strcmp(parts.v[i], ".") != 0)
			buf_printf(&clean, "/%s", parts.v[i]);
	if (clean.len == 0)
		buf_add_char(&clean, '/');
	return buf_take(&clean);
}

char *fs_absolute(const char *path)
{
	CLEANUP(err_release) struct err err = ERR_INIT;
	CLEANUP(mem_free_string) char *cwd = path[0] == '/' ? NULL : fs_cwd(&err);
	CLEANUP(mem_free_string) char *joined = NULL;

	/* Without a current directory every use of the path fails anyway, and names it. */
	if (path[0] != '/' && !cwd)
		return mem_strdup(path);
	joined = fs_join(cwd ? cwd : "/", path);
	return without_dots(joined);
}

char *fs_real(const char *path)
{
	return realpath(path, NULL);
}

static size_t without_slashes(const char *path, size_t len)
{
	while (len && path[len - 1] == '/')
		len--;
	return len;
}

char *fs_parent(const char *path)
{
	size_t len = without_slashes(path, strlen(path));

	while (len && path[len - 1] != '/')
		len--;
	if (len == 0)
		return mem_strdup(path[0] == '/' ? "/" : ".");
	len = without_slashes(path, len);
	return len ? mem_strndup(path, len) : mem_strdup("/");
}

const char *fs_basename(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

char *fs_cwd(struct err *err)
{
	char *cwd = getcwd(NULL, 0);

	if (!cwd)
		err_set(err, ERR_FILE, "cannot determine the current directory: %s",
			strerror(errno));
	return cwd;
}

bool fs_exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

bool fs_is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool fs_is_regular(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool fs_is_executable(const char *path)
{
	return fs_is_regular(path) && faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

bool fs_identify(const char *path, struct fs_identity *ret_identity)
{
	struct stat st;

	if (stat(path, &st))
		return false;
	*ret_identity = (struct fs_identity) { .device = st.st_dev, .inode = st.st_ino };
	return true;
}

bool fs_identity_equal(const struct fs_identity *a, const struct fs_identity *b)
{
	return a->device == b->device && a->inode == b->inode;
}

bool fs_free_bytes(const char *path, uint64_t *ret_bytes)
{
	struct statvfs st;

	if (statvfs(path, &st) < 0)
		return false;
	*ret_bytes = (uint64_t)st.f_bavail * st.f_frsize;
	return true;
}

bool fs_stamp(const char *path, struct fs_stamp *ret_stamp)
{
	struct stat st;

	if (stat(path, &st))
		return false;
	*ret_stamp = (struct fs_stamp) {
		.size = (uint64_t)st.st_size,
		.mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
	};
	return true;
}
