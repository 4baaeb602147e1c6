# The fork server: dbt's own interpreter executes this from its stdin (base/forker.h has the
# protocol); its arguments are dbt's script and the interpreter that the script names. It imports
# dbt once and forks for each command; the fork becomes what the interpreter would be that starts on
# the script, and executes the script's own code. Whatever is not certain is declined, and dbt
# started as ever.
import os
import sys

SCRIPT, INTERPRETER = sys.argv[1:]
# Before anything is imported: with -c the first place is the working directory, and the user's
# project may hold a module of any name.
if not getattr(sys.flags, "safe_path", sys.flags.isolated):
    sys.path[0] = os.path.dirname(os.path.realpath(SCRIPT))

import ast
import atexit
import ctypes
import gc
import importlib
import io
import pkgutil
import select
import signal
import socket
import threading
from importlib.machinery import SourceFileLoader

# Small enough to be imported on suspicion: which of those installed the project uses is not known
# yet. Any other is imported by each command, as ever.
ADAPTERS = ("duckdb", "postgres")

# Variables that are read where Python cannot see it, or by going through all of them.
FAMILIES = ("PYTHON", "LD_", "LC_", "LANG", "TZ", "MALLOC_", "GLIBC_", "OPENSSL_", "NETWORKX_")

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
HELD = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


class Declined(Exception):
    pass


class WatchedEnvironment(type(os.environ)):
    """Remembers which variables modules ask for by name while they are imported."""

    asked = set()

    def __getitem__(self, name):
        self.asked.add(name)
        return super().__getitem__(name)

    def copy(self):
        return {name: super(WatchedEnvironment, self).__getitem__(name) for name in self}

    def items(self):
        return self.copy().items()

    def values(self):
        return self.copy().values()


def read_script():
    """The script's code, if it is what installers write: it imports cli and calls it."""
    with open(SCRIPT, "rb") as script:
        source = script.read(1 << 16)
    tree = ast.parse(source)
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            known = (node.module, node.level, [(a.name, a.asname) for a in node.names]) == (
                "dbt.cli.main", 0, [("cli", None)])
        elif isinstance(node, ast.Import):
            known = all(a.name in ("re", "sys") and not a.asname for a in node.names)
        else:
            # a constant is the line that /bin/sh reads
            known = isinstance(node, ast.If) or (
                isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        if not known:
            raise Declined("not a script of an installer")
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in ("__name__", "re", "sys", "cli"):
            raise Declined("not a script of an installer")
        if isinstance(node, ast.Attribute) and node.attr not in (
                "argv", "exit", "sub", "endswith", "removesuffix"):
            raise Declined("not a script of an installer")
    return compile(source, SCRIPT, "exec", dont_inherit=True)


def capture(number):
    """What imports print goes to each command, as if it had imported by itself."""
    keep = os.memfd_create("airlock")
    os.dup2(keep, number)
    return keep


def captured(keep, number, null):
    (sys.stdout if number == 1 else sys.stderr).flush()
    os.dup2(null, number)
    text = os.pread(keep, 1 << 20, 0)
    os.close(keep)
    return text


def warm_up():
    """
    Yields what fills caches that every command fills first, in pieces that are short; without them
    a command takes longer, no more. dbt writes the code that reads its objects when it first needs
    it, and a child's would be lost.
    """
    import inspect
    import dbt.artifacts.resources as resources
    import dbt.contracts.files as files
    import dbt.contracts.graph.nodes as nodes
    import dbt.contracts.project as project
    from dbt.contracts.graph.manifest import Manifest

    yield lambda: inspect.getmodule(inspect.currentframe())
    for name in ("Project", "ProfileConfig", "Configuration", "ProjectFlags", "PackageConfig"):
        if hasattr(project, name):
            yield getattr(project, name).json_schema
    yield lambda: Manifest.from_msgpack(Manifest().to_msgpack())
    for module in (nodes, resources, files):
        for thing in list(vars(module).values()):
            if isinstance(thing, type) and hasattr(thing, "from_dict"):
                # an object without its fields is none, but the code that says so is there
                yield lambda thing=thing: thing.from_dict({})


def import_adapters():
    import dbt.adapters

    for module in pkgutil.iter_modules(dbt.adapters.__path__):
        if module.name in ADAPTERS:
            plugin = importlib.import_module("dbt.adapters." + module.name).Plugin
            plugin.credentials.json_schema()


def leaves_no_trace(function):
    """Tried in a fork: some versions of duckdb start a thread when they are imported."""
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1] == 0
    try:
        before = os.listdir("/proc/self/fd")
        function()
        os._exit(not (is_single_threaded() and os.listdir("/proc/self/fd") == before))
    finally:
        os._exit(1)


def attempt(function):
    try:
        function()
    except Exception:
        pass


def import_dbt():
    # A collection would copy every page of the server into each child.
    gc.disable()
    importlib.import_module("dbt.cli.main")
    if is_single_threaded() and leaves_no_trace(import_adapters):
        attempt(import_adapters)
    gc.collect()
    gc.freeze()


def is_single_threaded():
    return threading.active_count() == 1 and len(os.listdir("/proc/self/task")) == 1


class Server:
    def __init__(self):
        self.pid = os.getpid()
        self.channel = socket.socket(fileno=os.dup(0))
        self.null = os.open("/dev/null", os.O_RDWR)
        os.dup2(self.null, 0)
        self.prctl = ctypes.CDLL(None).prctl
        self.children = {}  # pid: link, or None when airlock has closed it
        self.ended = set()  # not reaped yet
        self.idle = None  # what is left of warm_up()

    def load(self):
        # A shim chooses the interpreter by what it is to execute.
        if not os.path.samefile(INTERPRETER, sys.executable):
            raise Declined("the interpreter is another one")
        self.code = read_script()
        before = dict(os.environ)
        plain = os.environ.__class__
        output = [(capture(number), number) for number in (1, 2)]
        os.environ.__class__ = WatchedEnvironment
        try:
            import_dbt()
        finally:
            os.environ.__class__ = plain
            self.output = [captured(keep, number, self.null) for keep, number in output]
        after = dict(os.environ)
        changed = {n for n in before.keys() | after.keys() if before.get(n) != after.get(n)}
        self.before = before
        self.asked = WatchedEnvironment.asked | changed
        self.changed = {name: after.get(name) for name in changed}
        if not is_single_threaded():
            raise Declined("imports have started threads")
        self.watch_children()
        self.idle = warm_up()

    def watch_children(self):
        self.mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        self.wake, wake = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(wake, False)
        self.own = [self.null, self.wake, wake]
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self.on_child = signal.signal(signal.SIGCHLD, lambda number, frame: None)

    def serve(self):
        """Returns in a child that is to go on as dbt."""
        self.channel.send(b"ready")
        while True:
            poll = select.poll()
            poll.register(self.channel, select.POLLIN)
            poll.register(self.wake, select.POLLIN)
            for link in filter(None, self.children.values()):
                poll.register(link, 0)
            ready = dict(poll.poll(0 if self.idle else None))
            if not ready:
                self.spend_time()
                continue
            if self.wake in ready:
                os.read(self.wake, 4096)
            self.reap(ready)
            if self.channel.fileno() in ready and self.accept():
                return

    def spend_time(self):
        """While nobody asks for anything."""
        try:
            piece = next(self.idle, None)
        except Exception:
            piece = None
        if piece:
            attempt(piece)
        else:
            self.idle = None

    def reap(self, ready):
        for pid, link in list(self.children.items()):
            if link and link.fileno() in ready:
                link.close()
                link = self.children[pid] = None
            if pid not in self.ended:
                self.report_end(pid, link)
            if pid in self.ended and not link:
                os.waitpid(pid, 0)
                self.ended.remove(pid)
                del self.children[pid]

    def report_end(self, pid, link):
        end = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if not end:
            return
        self.ended.add(pid)
        status = end.si_status << 8 if end.si_code == os.CLD_EXITED else end.si_status
        if link:
            send(link, b"end %d" % status)

    def accept(self):
        size = socket.CMSG_SPACE(5 * 4)
        word, control, _, _ = self.channel.recvmsg(64, size, socket.MSG_CMSG_CLOEXEC)
        if not word:
            os._exit(0)
        fds = memoryview(control[0][2]).cast("i").tolist()
        link = socket.socket(fileno=fds[3])
        try:
            request = self.read_request(fds[4])
            if not is_single_threaded():
                raise Declined("a thread runs")
            return self.fork(request, fds[:3], link)
        except (Declined, OSError, ValueError) as reason:
            send(link, b"no %.50s" % str(reason).encode())
            link.close()
        finally:
            for fd in set(fds[:3] + fds[4:]):
                os.close(fd)

    def read_request(self, fd):
        with open(os.dup(fd), "rb") as request:
            request.seek(0)
            texts = request.read().split(b"\0")[:-1]
        argc = int(texts[2])
        variables = {}
        for text in texts[3 + argc:]:
            name, equals, value = text.partition(b"=")
            if equals and not name:
                raise Declined("a variable without a name")
            if equals:
                variables.setdefault(os.fsdecode(name), os.fsdecode(value))
        self.check(variables)
        for name, value in self.changed.items():
            variables[name] = value
        return {
            "mask": self.mask | HELD if texts[0] else self.mask,
            "directory": texts[1],
            "argv": [os.fsdecode(text) for text in texts[3:3 + argc]],
            "environment": {n: v for n, v in variables.items() if v is not None},
        }

    def check(self, variables):
        """What the imports went by must be what it would be now."""
        for name in self.before.keys() | variables.keys() | self.asked:
            if name in self.asked or name.startswith(FAMILIES):
                if self.before.get(name) != variables.get(name):
                    raise Declined(name)

    def fork(self, request, standard, link):
        gc.freeze()
        # No signal may meet a child that still has the server's handlers.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            pid = os.fork()
            if pid == 0:
                self.become(request, standard, link)
                return True
        finally:
            if os.getpid() == self.pid:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self.children[pid] = link
        return False

    def become(self, request, standard, link):
        """In the child. All signals are blocked; an error here means that nothing was run."""
        try:
            os.setpgid(0, 0)
            self.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            # If the server died before the line above, nothing will ever send that signal.
            if os.getppid() != self.pid:
                os._exit(127)
            self.prctl(PR_SET_NAME, os.fsencode(os.path.basename(SCRIPT))[:15], 0, 0, 0)
            if request["directory"]:
                os.chdir(request["directory"])
            self.take_descriptors(standard)
            self.take_names(request)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, self.on_child)
            link.send(b"pid %d" % os.getpid())
            if link.recv(2) != b"go":
                os._exit(127)
            link.close()
            for number, text in enumerate(self.output, 1):
                if text:
                    os.write(number, text)
        except BaseException:
            os._exit(127)
        gc.enable()
        signal.pthread_sigmask(signal.SIG_SETMASK, request["mask"])

    def take_descriptors(self, standard):
        for number, fd in enumerate(standard):
            os.dup2(fd, number)
        for fd in self.own:
            os.close(fd)
        self.channel.close()
        for other in filter(None, self.children.values()):
            other.close()

    def take_names(self, request):
        os.environ.clear()
        os.environ.update(request["environment"])
        sys.argv = request["argv"]
        if hasattr(sys, "orig_argv"):
            sys.orig_argv = [sys.executable] + sys.argv
        main = sys.modules["__main__"]
        builtins = main.__dict__["__builtins__"]
        main.__dict__.clear()
        main.__dict__.update(
            __name__="__main__", __doc__=None, __package__=None, __spec__=None, __annotations__={},
            __builtins__=builtins, __file__=os.path.abspath(SCRIPT), __cached__=None,
            __loader__=SourceFileLoader("__main__", SCRIPT))


def send(link, word):
    # airlock may have closed it
    try:
        link.send(word)
    except OSError:
        pass


def leave(status):
    """
    All that the interpreter does at its end, but for taking the modules apart: that would copy the
    server's pages too, and duckdb complains on stderr of types that outlive it, as those do that
    were frozen. Files that were not closed are flushed by it.
    """
    threading._shutdown()
    atexit._run_exitfuncs()
    for thing in gc.get_objects():
        if type(thing) in (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom):
            if not thing.closed and (type(thing) is not io.TextIOWrapper or thing.writable()):
                thing.flush()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def execute(code):
    """Every end but the usual one is the interpreter's own business."""
    try:
        exec(code, sys.modules["__main__"].__dict__)
    except SystemExit as end:
        status = 0 if end.code is None else end.code
        if type(status) is int and 0 <= status <= 255:
            attempt(lambda: leave(status))
        raise


def main():
    server = Server()
    try:
        server.load()
        server.serve()
    except BaseException as reason:
        if os.getpid() == server.pid:
            send(server.channel, b"no %.50s" % str(reason).encode())
            os._exit(1)
        raise
    return server.code


execute(main())
