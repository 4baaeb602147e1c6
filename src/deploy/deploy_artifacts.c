/*
 * Manifests and results that are kept for others: for the --state of a build that reads production,
 * and for slim CI what production has been since the last publish.
 */
#include <stdlib.h>
#include <string.h>

#include "airlock/base/fs.h"
#include "deploy_parts.h"

/* The manifest of a side as this deployment read it, where nobody parses into it. */
static int copy_manifest(const struct deploy *deploy, const char *name, const struct manifest *read,
			 const char *directory, struct err *err)
{
	const struct sides *sides = &deploy->sides;
	char *from CLEANUP(mem_free_string) =
		sides_parse_path(sides->project.directory, name, "manifest.json");
	char *to CLEANUP(mem_free_string) = fs_join(directory, "manifest.json");
	struct fs_lock lock CLEANUP(fs_lock_release) = FS_LOCK_FREE;
	struct manifest *manifest = NULL;
	int result = -1;

	if (sides_lock_parses(sides, &lock, err) < 0 || manifest_read(from, &manifest, err) < 0)
		return -1;
	if (strcmp(manifest_invocation_id(manifest), manifest_invocation_id(read)) == 0)
		result = fs_copy(from, to, err);
	else
		err_set(err, ERR_PROJECT_CHANGED,
			"'%s' was written by another parse than the one this deployment read",
			from);
	manifest_free(manifest);
	return result;
}

int deploy_write_state(struct deploy *deploy, struct err *err)
{
	const struct sides *sides = &deploy->sides;
	char *name CLEANUP(mem_free_string) = mem_printf("state/%s", sides->from_side.name);
	char *directory CLEANUP(mem_free_string) = fs_join(sides->home, name);

	if (fs_make_directories(directory, err) < 0)
		return -1;
	return copy_manifest(deploy, sides->to_side.name, sides->to_manifest, directory, err);
}

/* Both are there before the first one gets its name: they are of one deployment. */
static int write_published(struct deploy *deploy, struct err *err)
{
	static const char *const files[] = { "run_results.json", "manifest.json" };
	const struct sides *sides = &deploy->sides;
	char *directory CLEANUP(mem_free_string) = fs_join(sides->home, "published");
	char *coming CLEANUP(mem_free_string) = fs_join(sides->home, "published.coming");
	char *built CLEANUP(mem_free_string) = sides_build_path(sides, files[0]);
	char *results CLEANUP(mem_free_string) = fs_join(coming, files[0]);
	struct err ignored CLEANUP(err_release) = ERR_INIT;

	if (fs_make_directories(directory, err) < 0 || fs_make_directories(coming, err) < 0 ||
	    fs_copy(built, results, err) < 0 ||
	    copy_manifest(deploy, sides->to_side.name,
			  sides->to ? sides->to_manifest : sides->from_manifest, coming, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		char *from CLEANUP(mem_free_string) = fs_join(coming, files[i]);
		char *to CLEANUP(mem_free_string) = fs_join(directory, files[i]);

		if (fs_rename(from, to, err) < 0)
			return -1;
	}
	fs_remove_directory(coming, &ignored);
	return 0;
}

/* What is published stays so when these cannot be written. Where nodes were left out because they
 * had failed, production is not what this manifest says: the older one finds more to build. */
void deploy_write_published(struct deploy *deploy)
{
	struct err err CLEANUP(err_release) = ERR_INIT;

	if (deploy->basis && !deploy->retries) {
		deploy->request.reporter->note(deploy->request.reporter,
					       "target/airlock/published stays what it was: only "
					       "the rest of a deployment was published");
		return;
	}
	if (!deploy->audited || deploy->rolled_back || write_published(deploy, &err) == 0)
		return;
	char *text CLEANUP(mem_free_string) = mem_printf(
		"target/airlock/published is not what was published now: %s", err.message);

	deploy->request.reporter->warning(deploy->request.reporter, text);
}

/* The build is what it is without them. */
void deploy_write_artifacts(struct deploy *deploy)
{
	static const char *const files[] = { "manifest.json", "run_results.json" };
	const char *directory = deploy->request.artifacts;
	struct err err CLEANUP(err_release) = ERR_INIT;
	int rc = 0;

	if (!directory)
		return;
	rc = fs_make_directories(directory, &err);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(files); i++) {
		char *from CLEANUP(mem_free_string) = sides_build_path(&deploy->sides, files[i]);
		char *to CLEANUP(mem_free_string) = fs_join(directory, files[i]);

		if (fs_exists(from))
			rc = fs_copy(from, to, &err);
	}
	if (rc < 0) {
		char *text CLEANUP(mem_free_string) = mem_printf(
			"'%s' does not hold the results of this build: %s", directory, err.message);

		deploy->request.reporter->warning(deploy->request.reporter, text);
	}
}
