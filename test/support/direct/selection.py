"""What a list of dbt's selectors selects: names, fqn, tag:, `+` on either side, `,` for both."""

import re

from arguments import Usage

WORD = re.compile(r"^((?P<parents>\d*)\+)?((?P<method>[\w.]+):)?(?P<value>.*?)(?P<children>\+\d*)?$")


def select(recording, words, exclude):
    """The selected unique ids in the order of a build, with the tests that touch a selected node."""
    everything = list(recording.nodes)
    chosen = _union(recording, words) if words else set(everything)
    chosen -= _union(recording, exclude) if exclude else set()
    return [unique_id for unique_id in everything if unique_id in chosen]


def _union(recording, words):
    chosen = set()
    for word in words:
        parts = [_with_tests(recording, _word(recording, part)) for part in word.split(",")]
        chosen |= set.intersection(*parts)
    return chosen


def _with_tests(recording, chosen):
    """Eager: every test of which one parent is selected."""
    tests = filter(recording.is_test, recording.nodes)
    return chosen | {test for test in tests if chosen & set(recording.parents(test))}


def _word(recording, word):
    match = WORD.match(word)
    if match["parents"] or (match["children"] or "+") != "+" or match["method"] not in (None, "fqn", "tag"):
        raise Usage(f"the stand-in dbt does not know the selector '{word}'")
    chosen = {u for u, node in recording.nodes.items() if _matches(node, match)}
    if word.startswith("+"):
        chosen |= set().union(*map(recording.ancestors, chosen))
    if match["children"]:
        chosen |= {u for u in recording.nodes if recording.ancestors(u) & chosen}
    return chosen


def _matches(node, match):
    if match["method"] == "tag":
        return match["value"] in node.get("tags", ())
    fqn, wanted = node.get("fqn", []), match["value"].split(".")
    return match["value"] in ("*", node["name"]) or wanted in (fqn[: len(wanted)], fqn[1 : len(wanted) + 1])
