/* Selections against one manifest. The input is lines: a digit for the dbt and the kind of
 * indirect selection, --select, --exclude, and from the fourth line on a selectors.yml whose
 * first selector is asked for. The answer is a subset of the nodes, sorted, and the same twice. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "airlock/dbt/select.h"
#include "fuzz.h"

static const char *const versions[] = { "1.8.10", "1.10.23", "1.11.16", "1.12.6", "2.0.0", "" };

#define NODE(id, type, extra) "\"" id "\": {\"resource_type\": \"" type "\", " extra "}"

static const char nodes[] = "\"nodes\": {" NODE(
	"model.a.x", "model",
	"\"name\": \"x\", \"package_name\": \"a\", \"fqn\": [\"a\", \"s\", "
	"\"x\"], \"tags\": [\"t\", \"u\"], \"original_file_path\": "
	"\"models/s/x.sql\", \"config\": {\"materialized\": \"table\", \"tags\": "
	"[\"t\"], \"meta\": {\"n\": 1, \"b\": true}}") ", " //
	NODE("model.a.y.v1", "model",
	     "\"name\": \"y\", \"package_name\": \"a\", \"version\": 1, \"latest_version\": 2, "
	     "\"fqn\": [\"a\", \"s\", \"y\", \"v1\"], \"original_file_path\": \"models/s/y.sql\", "
	     "\"depends_on\": {\"nodes\": [\"model.a.x\"]}, \"access\": \"public\"") ", " //
	NODE("model.b.z", "model",
	     "\"name\": \"z\", \"package_name\": \"b\", \"fqn\": [\"b\", \"z\"], "
	     "\"original_file_path\": \"models/z.sql\", \"depends_on\": {\"nodes\": "
	     "[\"model.a.y.v1\", \"source.a.w.e\"]}, \"config\": {\"group\": \"g\"}") ", " //
	NODE("test.a.q", "test",
	     "\"name\": \"q\", \"package_name\": \"a\", \"fqn\": [\"a\", \"q\"], "
	     "\"test_metadata\": {\"name\": \"unique\"}, \"original_file_path\": "
	     "\"models/s/s.yml\", \"depends_on\": {\"nodes\": [\"model.a.x\", \"model.b.z\"]}") "}," //
												"\""
												"so"
												"ur"
												"ce"
												"s"
												"\""
												": "
												"{"
												"\""
												"so"
												"ur"
												"ce"
												".a"
												".w"
												".e"
												"\""
												": "
												"{"
												"\""
												"na"
												"me"
												"\""
												": "
												"\""
												"e"
												"\""
												", "
												"\""
												"so"
												"ur"
												"ce"
												"_n"
												"am"
												"e"
												"\""
												": "
												"\""
												"w"
												"\""
												", "
												"\""
												"pa"
												"ck"
												"ag"
												"e_"
												"na"
												"me"
												"\""
												": "
												"\""
												"a"
												"\""
												", "
												"\""
												"fq"
												"n"
												"\""
												": "
												"["
												"\""
												"a"
												"\""
												", "
												"\""
												"w"
												"\""
												", "
												"\""
												"e"
												"\""
												"]}"
												"},"
												" "
												"\""
												"ex"
												"po"
												"su"
												"re"
												"s"
												"\""
												": "
												"{"
												"\""
												"ex"
												"po"
												"su"
												"re"
												".a"
												".d"
												"\""
												": "
												"{"
												"\""
												"na"
												"me"
												"\""
												": "
												"\""
												"d"
												"\""
												", "
												"\""
												"pa"
												"ck"
												"ag"
												"e_"
												"na"
												"me"
												"\""
												": "
												"\""
												"a"
												"\""
												", "
												"\""
												"fq"
												"n"
												"\""
												": "
												"["
												"\""
												"a"
												"\""
												", "
												"\""
												"d"
												"\""
												"],"
												" "
												"\""
												"de"
												"pe"
												"nd"
												"s_"
												"on"
												"\""
												": "
												"{"
												"\""
												"no"
												"de"
												"s"
												"\""
												": "
												"["
												"\""
												"mo"
												"de"
												"l."
												"b."
												"z"
												"\""
												"]}"
												"}}"
												"}";

static const struct manifest *manifest_of(size_t version)
{
	static struct manifest *manifests[ARRAY_LEN(versions)];
	static char *texts[ARRAY_LEN(versions)];
	struct err err = ERR_INIT;

	if (manifests[version])
		return manifests[version];
	texts[version] = mem_printf("{\"metadata\": {\"dbt_version\": \"%s\", \"project_name\": "
				    "\"a\"}, %s",
				    versions[version], nodes);
	if (manifest_parse(texts[version], strlen(texts[version]), "m.json", &manifests[version],
			   &err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		abort();
	}
	return manifests[version];
}

static void take_line(const char **rest, struct strv *words)
{
	size_t len = strcspn(*rest, "\n");

	if (len)
		strv_take(words, mem_strndup(*rest, len));
	*rest += len + ((*rest)[len] == '\n');
}

/* 1 answered, 0 left to dbt, -1 refused. */
static int ask(const struct manifest *manifest, const struct select_request *request,
	       struct strv *ids)
{
	enum select_answer answer;
	struct err err = ERR_INIT;

	if (select_run(manifest, request, ids, &answer, &err) < 0) {
		if (err.code != ERR_SELECTOR_INVALID || ids->n)
			abort();
		err_release(&err);
		return -1;
	}
	return answer == SELECT_ANSWERED;
}

static void compare(const struct manifest *manifest, const struct select_request *request)
{
	CLEANUP(strv_release) struct strv first = STRV_INIT;
	CLEANUP(strv_release) struct strv second = STRV_INIT;
	int rc = ask(manifest, request, &first);

	if (ask(manifest, request, &second) != rc || first.n != second.n)
		abort();
	for (size_t i = 0; i < first.n; i++)
		if (!manifest_find(manifest, first.v[i]) || strcmp(first.v[i], second.v[i]) != 0 ||
		    (i && strcmp(first.v[i - 1], first.v[i]) >= 0))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(mem_free_string) char *text = mem_strndup((const char *)data, size);
	CLEANUP(strv_release) struct strv select = STRV_INIT;
	CLEANUP(strv_release) struct strv exclude = STRV_INIT;
	struct select_request request = { .select = &select, .exclude = &exclude };
	struct selectors *selectors = NULL;
	struct err err = ERR_INIT;
	size_t digit = (unsigned char)text[0];
	const char *rest = text + (text[0] != '\0');

	rest += *rest == '\n';
	request.indirect = (enum select_indirect)(digit % 4);
	take_line(&rest, &select);
	take_line(&rest, &exclude);
	if (*rest && selectors_parse(rest, strlen(rest), "selectors.yml", &selectors, &err) < 0)
		err_release(&err);
	request.selectors = selectors;
	if (selectors_count(selectors) > 0)
		request.selector = selectors_name(selectors, 0);
	compare(manifest_of(digit / 4 % ARRAY_LEN(versions)), &request);
	selectors_free(selectors);
	return 0;
}
