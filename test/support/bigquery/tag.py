"""Gives a column policy tags, through the API, as the console does: tag.py URL PROJECT.DATASET.TABLE COLUMN
[TAG...]. For all columns it sends what the service says of them."""

import json
import sys
import urllib.request


def call(url, method="GET", body=None):
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None,
                                     {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def tag(url, table, column, tags):
    project, dataset, name = table.split(".")
    at = f"{url}/bigquery/v2/projects/{project}/datasets/{dataset}/tables/{name}"
    fields = call(at)["schema"]["fields"]
    for field in fields:
        if field["name"] == column:
            field["policyTags"] = {"names": list(tags)}
    call(at, "PATCH", {"schema": {"fields": fields}})


if __name__ == "__main__":
    tag(*sys.argv[1:4], sys.argv[4:])
