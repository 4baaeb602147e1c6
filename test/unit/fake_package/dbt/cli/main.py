"""The dbt of the fork server's unit tests: FAKE_IMPORT says how it is imported, the first argument
what the command does."""
import atexit
import gc
import json
import os
import signal
import sys
import threading
import time
import warnings

how = os.environ.get("FAKE_IMPORT", "")
os.environ["SET_BY_IMPORT"] = "yes"
imported_by = os.getpid()
if how == "prints":
    print("imported", flush=True)
    warnings.warn("imported")
    os.write(2, b"imported by C\n")
if how == "fails":
    raise ImportError("no such thing")
if how == "ends":
    sys.exit(0)
if how == "slow":
    time.sleep(3)
if how == "starts a thread":
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()


def pause():
    # in pieces: a signal may come right before
    while True:
        time.sleep(0.05)


def read_status(*names):
    with open("/proc/self/status", encoding="ascii") as status:
        lines = dict(line.rstrip("\n").split(":\t", 1) for line in status)
    return [lines[name] for name in names]


def death_signal():
    import ctypes

    number = ctypes.c_int()
    ctypes.CDLL(None).prctl(2, ctypes.byref(number), 0, 0, 0)
    return number.value


def report():
    """All that could tell one way of starting from the other."""
    main = sys.modules["__main__"].__dict__
    return {
        "argv": sys.argv,
        "original": getattr(sys, "orig_argv", sys.argv)[1:],
        "executable": sys.executable,
        "flags": str(sys.flags),
        "path": sys.path,
        "environment": dict(os.environ),
        "directory": os.getcwd(),
        "descriptors": {fd: target(fd) for fd in os.listdir("/proc/self/fd") if target(fd)},
        "status": read_status("Name", "Umask", "SigBlk", "SigIgn", "SigCgt", "Threads"),
        "int": str(signal.getsignal(signal.SIGINT)),
        "group": os.getpgrp() == os.getpid(),
        "session": os.getsid(0),
        "death": death_signal(),
        "main": {name: str(main[name]) for name in main if name not in ("__loader__", "cli")},
        "loader": main["__loader__"].__class__.__name__,
        "streams": [[s.fileno(), s.encoding, s.errors, s.line_buffering]
                    for s in (sys.stdin, sys.stdout, sys.stderr)],
        "collects": gc.isenabled(),
        "wakeup": signal.set_wakeup_fd(-1),
    }


def target(fd):
    try:
        name = os.readlink("/proc/self/fd/" + fd)
    except OSError:
        return None  # the list's own
    return name.split(":")[0]


def leave_things(path):
    """A file that is not closed, a thread, a function: all have their turn after the last line."""
    global kept
    kept = open(path, "w", encoding="ascii")
    kept.write("written")
    atexit.register(lambda: print("at the end", flush=True))
    threading.Thread(target=lambda: (time.sleep(0.1), print("thread", flush=True))).start()
    print("unflushed")
    sys.exit(4)


def cli():
    """As click has it: ends the process itself."""
    verb, *rest = sys.argv[1:]
    if verb == "report":
        print("report", json.dumps(report(), sort_keys=True))
    elif verb == "who":
        print("served" if imported_by != os.getpid() else "plain", flush=True)
    elif verb == "exit":
        sys.exit(int(rest[0]))
    elif verb == "say":
        sys.exit(rest[0])
    elif verb == "raise":
        raise RuntimeError(rest[0])
    elif verb == "die":
        os.kill(os.getpid(), int(rest[0]))
        pause()
    elif verb == "exit without a word":
        os._exit(int(rest[0]))
    elif verb == "pause":
        try:
            print("pid", os.getpid(), "server", os.getppid(), flush=True)
            pause()
        except KeyboardInterrupt:
            print("interrupted", flush=True)
            sys.exit(int(rest[0]))
    elif verb == "stay":
        signal.signal(signal.SIGINT, lambda number, frame: print("INT", flush=True))
        signal.signal(signal.SIGTERM, lambda number, frame: print("TERM", flush=True))
        print("pid", os.getpid(), "server", os.getppid(), flush=True)
        pause()
    elif verb == "work":
        for word in ("begun", "done"):
            with open(rest[0], "a", encoding="ascii") as work:
                work.write(word + "\n")
            time.sleep(0.02)
    elif verb == "leave things to the end":
        leave_things(rest[0])
    elif verb == "length":
        print(len(os.environ[rest[0]]))
    return 0
