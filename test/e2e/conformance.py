"""Called as `dbt`, airlock is the dbt behind it: every subcommand of one version of dbt, bare and through
airlock, on the same project at the same place. Compared are stdout, stderr, how it ended, and which files it
left; what differs between two runs of the bare dbt too (times, durations, ids) is taken out first.

    AIRLOCK_BIN=... DBT_ENVIRONMENT=.cache/dbt-1.8 conformance.py [CASE...]
"""

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "test", "support"))
import tap  # noqa: E402

ENVIRONMENT = os.path.join(ROOT, os.environ["DBT_ENVIRONMENT"])
REAL = os.path.join(ENVIRONMENT, "bin")
DRIVER = os.path.join(ENVIRONMENT, "node_modules", "@duckdb", "node-bindings-linux-x64")
SECOND = re.search(r"dbt-2", ENVIRONMENT) is not None
HELP = ("build clean clone compile debug deps init list ls parse retry run run-operation seed show snapshot test "
        "help login man status system").split()

PASSING = [
    (rb"\x1b\[[0-9;]*[mK]", b""),
    (rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*(Z|\+00:00)?", b"DATE"),
    (rb"\d\d:\d\d:\d\d(\.\d+)?", b"TIME"),
    (rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", b"UUID"),
    (rb"\d+(\.\d+)? ?(seconds|secs|ms|us|s)\b", b"N s"),
    (rb'("(?:elapsed|execution_time|ts|pid|thread_name|[a-z_]*(?:time|elapsed|_at|duration|usage)[a-z_]*)": ?)[^,}]+', rb"\1X"),
    (rb"\binline_[0-9a-f]+", b"inline_X"),
    (rb"0x[0-9a-f]+", b"0x"),
    (rb"\.{3,}", b"..."),
]


def settled(text):
    for pattern, instead in PASSING:
        text = re.sub(pattern, instead, text)
    return text


class Place:
    """A copy of the sample project, made anew for each run at one path, and the two ways to say dbt."""

    def __init__(self):
        self.home = os.path.realpath(tempfile.mkdtemp(prefix="airlock-conformance."))
        self.project = os.path.join(self.home, "project")
        self.elsewhere = os.path.join(self.home, "elsewhere")
        self.shim = os.path.join(self.home, "shim")
        self.ready = os.path.join(self.home, "ready")
        os.mkdir(self.shim)
        os.symlink(os.environ["AIRLOCK_BIN"], os.path.join(self.shim, "dbt"))
        shutil.copytree(os.path.join(ROOT, "test", "projects", "shop"), self.ready)
        if ENVIRONMENT.endswith("dbt-1.8"):
            self.put_arguments_where_they_were()
        self.renew(self.ready)
        subprocess.run([os.path.join(REAL, "dbt"), "build", "--threads", "1"], cwd=self.project,
                       env=self.environment(False), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.ready)
        shutil.copytree(self.project, self.ready)

    def put_arguments_where_they_were(self):
        """Before dbt 1.10 those of a test stand directly under its name."""
        for directory, _, files in os.walk(os.path.join(self.ready, "models")):
            for path in (os.path.join(directory, name) for name in files if name.endswith(".yml")):
                with open(path, encoding="utf-8") as file:
                    lines = [line for line in file if line.strip() != "arguments:"]
                with open(path, "w", encoding="utf-8") as file:
                    file.writelines(lines)

    def environment(self, through, **more):
        path = f"{REAL}:/usr/local/bin:/usr/bin:/bin"
        return {
            "PATH": f"{self.shim}:{path}" if through else path,
            "HOME": self.home,
            "LC_ALL": "C.UTF-8",
            "LD_LIBRARY_PATH": DRIVER,
            "SHOP_DUCKDB": "warehouse.duckdb",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "PYTHONHASHSEED": "1",
            **more,
        }

    def renew(self, source=None):
        shutil.rmtree(self.project, ignore_errors=True)
        shutil.copytree(source or self.ready, self.project)
        for made in self.elsewhere, os.path.join(self.home, ".dbt"):
            shutil.rmtree(made, ignore_errors=True)
        os.mkdir(self.elsewhere)

    def files(self):
        names = []
        for directory, _, files in os.walk(self.project):
            names += [os.path.relpath(os.path.join(directory, name), self.project) for name in files]
        return sorted(settled(name.encode()) for name in names)


PLACE = None


def setUpModule():
    global PLACE
    PLACE = Place()


def tearDownModule():
    shutil.rmtree(PLACE.home)


class Conformance(unittest.TestCase):
    maxDiff = 4000

    def until(self, process, reached):
        """Not a fixed time, which a loaded machine takes for the start of dbt alone."""
        for _ in range(6000):
            if process.poll() is not None or reached():
                break
            time.sleep(0.1)
        time.sleep(1)

    def once(self, through, words, stdin, cwd, more, after):
        PLACE.renew()
        process = subprocess.Popen(["dbt", *words], cwd=cwd or PLACE.project, env=PLACE.environment(through, **more),
                                   executable=os.path.join(PLACE.shim if through else REAL, "dbt"),
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   start_new_session=True)
        if after:
            after(process)
        out, err = process.communicate(stdin, timeout=1800)
        # dbt 2.x runs two nodes at once, whatever it is told
        lines = (lambda text: sorted(settled(text).splitlines())) if SECOND else lambda text: settled(text).splitlines()
        return {"out": lines(out), "err": lines(err), "ended": process.returncode,
                "files": PLACE.files()}

    def same(self, *words, stdin=b"", cwd=None, after=None, ended=None, **more):
        with self.subTest(" ".join(words)):
            bare = self.once(False, words, stdin, cwd, more, after)
            through = self.once(True, words, stdin, cwd, more, after)
            for what in bare:
                self.assertEqual(bare[what], through[what], f"{what} of dbt {' '.join(words)}")
            if ended is not None:
                self.assertEqual(ended, bare["ended"], f"dbt {' '.join(words)}: {bare['out'][-5:]} {bare['err'][-5:]}")

    def test_what_needs_no_project(self):
        self.same()
        self.same("--help")
        self.same("--version", ended=0)
        self.same("no-such-command")
        self.same("run", "--no-such-option")
        self.same("debug", "--project-dir", "/nowhere")
        self.same("internal", "get-distribution-info")

    def test_no_subcommand_is_left_out(self):
        help = subprocess.run([os.path.join(REAL, "dbt"), "--help"], stdin=subprocess.DEVNULL, capture_output=True,
                              env=PLACE.environment(False), text=True, check=True).stdout
        names = set(re.findall(r"^  ([a-z-]+)  ", help[help.rindex("Usage:" if SECOND else "Commands:"):], re.M))
        with open(__file__, encoding="utf-8") as file:
            tried = set(re.findall(r'self\.same\("([a-z-]+)"', file.read()))
        self.assertEqual(set(), names - tried - set(HELP))
        self.assertIn("run-operation", names)

    def test_the_help_of_subcommands(self):
        """Of dbt 1.x, which takes seconds to say it, that of those that are not run below."""
        for words in ("docs", "docs generate", "docs serve", "source", "source freshness", *(HELP if SECOND else ())):
            self.same(*words.split(), "--help")

    def test_what_reads_the_project(self):
        self.same("parse", "--no-partial-parse", ended=0)
        self.same("ls", "--select", "tag:mart", ended=0)
        self.same("list", "--output", "json", "--select", "orders", ended=0)
        self.same("compile", "--select", "orders", "--threads", "1")
        self.same("deps")
        self.same("clean", ended=0)
        self.same("ls", "--project-dir", PLACE.project, "--profiles-dir", PLACE.project, "-s", "orders", cwd="/")

    def test_what_runs_sql(self):
        self.same("debug")
        self.same("build", "--threads", "1", "--select", "orders", ended=0)
        self.same("run", "--threads", "1", "-s", "orders", "--target", "prod")
        self.same("run", "--threads", "1", "-s", "nothing_is_called_so")
        self.same("test", "--threads", "1", "-s", "orders", ended=0)
        self.same("build", "--threads", "1", "-s", "orders", "--vars", "{break_orders: true}", ended=1)
        self.same("seed", "--threads", "1", "--full-refresh", ended=0)
        self.same("snapshot", "--threads", "1", ended=0)
        self.same("show", "--inline", "select 1 as one")
        self.same("run-operation", "no_such_macro")
        self.same("source", "freshness", "--threads", "1")
        self.same("docs", "generate", "--threads", "1")
        self.same("retry", "--threads", "1")
        self.same("clone", "--threads", "1", "--state", "target", "--target", "prod", "-s", "orders")

    def test_the_environment_and_json(self):
        self.same("ls", "-s", "orders", DBT_TARGET="prod", DBT_LOG_FORMAT="json")
        self.same("run", "-s", "orders", "--threads", "1", DBT_WARN_ERROR="true", DBT_DEBUG="1" if SECOND else "0")
        self.same("parse", DBT_PROFILES_DIR="/nowhere")

    def test_what_asks_reads_its_answers(self):
        self.same("init", "fresh", "--skip-profile-setup", cwd=PLACE.elsewhere)
        self.same("init", cwd=PLACE.elsewhere, stdin=b"fresh\n")

    def test_a_signal_is_a_signal_once(self):
        slow = ("show", "--inline", "select count(*) from range(200000) a, range(200000) b")
        log = os.path.join(PLACE.project, "logs", "dbt.log")

        def is_asked():
            """dbt 1.x writes the statement down when it sends it, 2.x the last thing that it has read before."""
            if not os.path.exists(log):
                return False
            with open(log, encoding="utf-8", errors="replace") as file:
                return re.search(r"target/inline_" if SECOND else r"On sql_operation[^\n]*inline", file.read()) is not None

        for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:

            def send(process, number=number):
                self.until(process, is_asked)
                process.send_signal(number)

            with self.subTest(number.name):
                bare = self.once(False, slow, b"", None, {}, send)["ended"]
                self.assertEqual(bare, self.once(True, slow, b"", None, {}, send)["ended"])

    def test_docs_are_served_until_it_is_interrupted(self):
        if SECOND:
            return self.same("docs", "serve", "--help")

        def interrupt(process):
            self.until(process, lambda: os.path.exists(os.path.join(PLACE.project, "target", "index.html")))
            process.send_signal(signal.SIGINT)

        self.same("docs", "serve", "--port", "0", "--no-browser", after=interrupt)

    def test_descriptors_that_are_closed(self):
        for closed in "<&-", ">&-", "2>&-", "<&- >&- 2>&-":
            with self.subTest(closed):
                ended = []
                for through in False, True:
                    PLACE.renew()
                    program = os.path.join(PLACE.shim if through else REAL, "dbt")
                    done = subprocess.run(["sh", "-c", f'"$0" ls -s orders {closed}', program], cwd=PLACE.project,
                                          env=PLACE.environment(through), stdin=subprocess.DEVNULL, capture_output=True)
                    ended.append((done.returncode, settled(done.stdout), settled(done.stderr)))
                self.assertEqual(*ended)

    def test_a_terminal_is_a_terminal(self):
        seen = []
        for through in False, True:
            PLACE.renew()
            pid, terminal = pty.fork()
            if not pid:
                os.chdir(PLACE.project)
                os.execve(os.path.join(PLACE.shim if through else REAL, "dbt"),
                          ["dbt", "build", "--threads", "1", "-s", "currencies"],
                          PLACE.environment(through, TERM="xterm", COLUMNS="90"))
            text = b""
            while True:
                try:
                    more = os.read(terminal, 65536)
                except OSError:
                    break
                if not more:
                    break
                text += more
            os.close(terminal)
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            seen.append((status, b"\x1b[" in text, [line for line in settled(text).splitlines() if b"N s" not in line]))
        self.assertEqual(*(each[:2] if SECOND else each for each in seen))
        self.assertEqual(seen[0][:2], (0, True))


if __name__ == "__main__":
    tap.main()
