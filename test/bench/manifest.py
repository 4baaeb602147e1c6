#!/usr/bin/env python3
"""The relations of one tag out of a manifest: airlock beside python's json, jq and a jansson tree.

usage: manifest.py AIRLOCK JANSSON_DOM [MEGABYTES...]     (4 and 150)

All of them answer the same question about the same file, in turns, so that what else the machine
does hits them alike; the best of the rounds counts. Only the ratios mean something.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

TAG = "dex"
ROUNDS = 5
ROUNDS_OF_SMALL = 25
PYTHON = """import json, sys
for n in json.load(open(sys.argv[1]))["nodes"].values():
    if n["resource_type"] == "model" and sys.argv[2] in n.get("tags", []):
        print(n["relation_name"])"""
JQ = '.nodes[]|select(.resource_type=="model")|select(.tags|index($t))|.relation_name'
HERE = os.path.dirname(os.path.abspath(__file__))


def run(argv):
    """(wall s, cpu s, peak MB, lines)"""
    with tempfile.TemporaryFile() as out:
        # Not subprocess, which alone takes as long as a fifth of the shortest run.
        start = time.monotonic()
        pid = os.posix_spawn(argv[0], argv, os.environ,
                             file_actions=[(os.POSIX_SPAWN_DUP2, out.fileno(), 1)])
        _, status, usage = os.wait4(pid, 0)
        wall = time.monotonic() - start
        if status:
            raise SystemExit(f"{argv[0]} failed")
        out.seek(0)
        text = out.read()
    count = len(json.loads(text)["routes"]) if text.startswith(b"{") else text.count(b"\n")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, count


def main():
    airlock, dom = sys.argv[1:3]
    sizes = [int(word) for word in sys.argv[3:]] or [4, 150]
    print(f"{'':>7} {'':10} {'wall s':>8} {'cpu s':>8} {'peak MB':>8} {'times airlock':>14} {'by cpu':>7}")
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="airlock-bench-") as work:
            path = os.path.join(work, "manifest.json")
            subprocess.run([sys.executable, os.path.join(HERE, "make_manifest.py"), "--megabytes",
                            str(size), path], check=True)
            commands = {
                "airlock": [airlock, "routes", "--manifest", path, "-s", "tag:" + TAG, "--json"],
                "python": ["/usr/bin/python3", "-c", PYTHON, path, TAG],
                "jq": ["jq", "-r", "--arg", "t", TAG, JQ, path],
                "jansson": [dom, path, TAG],
            }
            commands = {name: [shutil.which(argv[0]), *argv[1:]]
                        for name, argv in commands.items() if shutil.which(argv[0])}
            results = {name: [] for name in commands}
            for _ in range(ROUNDS_OF_SMALL if size < 50 else ROUNDS):
                for name, argv in commands.items():
                    results[name].append(run(argv))
            counts = {row[3] for rows in results.values() for row in rows}
            if len(counts) != 1:
                raise SystemExit(f"they disagree: {counts}")
            best = {name: [min(column) for column in list(zip(*rows))[:3]]
                    for name, rows in results.items()}
            for name, (wall, cpu, peak) in best.items():
                print(f"{size:>4} MB {name:10} {wall:8.3f} {cpu:8.3f} {peak:8.1f} "
                      f"{wall / best['airlock'][0]:14.1f} {cpu / best['airlock'][1]:7.1f}", flush=True)


main()
