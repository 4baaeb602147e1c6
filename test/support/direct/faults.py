"""What goes wrong: DIRECT_FAULT is a list, blanks between, of

  VERB/NTH.CALL:WHEN:KIND[=VALUE]       run-operation/3.12:after:crash

The NTH start of VERB in DIRECT_TRACE; its CALL, from 1: a statement of an operation, a node of a
build; 0 is the command as a whole: before it connects, after it has written and printed everything.

WHEN is before or after the call is executed. After it: before its answer is printed.

  error[=TEXT]  fails as if the database had said so
  crash         dies by SIGKILL
  crash-airlock  airlock dies by SIGKILL, and this process with it
  lost          ends with 0 at once, and prints no more
  mute          goes on to its end, and prints no more
  late[=S]      not DuckDB, before: dies, while its connection lives on, and the server executes the
                call S seconds later
  late-airlock[=S]  the same, and airlock dies too
  orphan[=S]    PostgreSQL: as late, and the connection dies too: the server is to notice
  strike=MS     is killed MS milliseconds later, whatever it does then
  hang          waits until it is signalled
  int, term     airlock gets the signal; what it passes on arrives here
  full          every file that airlock, this process, or a later one of airlock's writes to is full
"""

import os
import resource
import signal
import time

KINDS = """error crash crash-airlock lost mute late late-airlock orphan strike hang int term
    full""".split()


class Injected(Exception):
    """The error that was asked for."""


class Lost(Exception):
    """Nothing more is printed, and the exit status is 0."""


class Fault:
    def __init__(self, text):
        self.text = text
        address, self.when, kind = text.split(":", 2)
        self.kind, _, self.value = kind.partition("=")
        command, _, call = address.partition(".")
        self.verb, _, nth = command.partition("/")
        self.nth, self.call = int(nth), int(call)
        if self.when not in ("before", "after") or self.kind not in KINDS:
            raise SystemExit(f"DIRECT_FAULT: no such fault: {text}")


class Faults:
    def __init__(self, trace, log):
        faults = map(Fault, os.environ.get("DIRECT_FAULT", "").split())
        self.mine = [f for f in faults if (f.verb, f.nth) == (trace.verb, trace.nth)]
        self.log, self.trace = log, trace
        self.airlock = os.getppid()

    def meet(self, when, call, engine=None, sql=None):
        for fault in self.mine:
            if (fault.when, fault.call) == (when, call):
                self.trace.add(fault=fault.text)
                getattr(self, f"_{fault.kind.replace('-', '_')}")(fault, engine, sql)

    def _error(self, fault, engine, _sql):
        answer = getattr(engine, "answer", "{}")
        raise Injected(fault.value.replace("_", " ") or answer.format("an error was injected"))

    def _crash(self, *_):
        _die()

    def _crash_airlock(self, *_):
        os.kill(self.airlock, signal.SIGKILL)
        _die()

    def _lost(self, *_):
        raise Lost()

    def _mute(self, *_):
        self.log.muted = True

    def _strike(self, fault, *_):
        """Another process strikes: nothing runs here while a driver is busy."""
        target = os.getpid()
        if os.fork() == 0:
            time.sleep(float(fault.value) / 1000)
            os.kill(target, signal.SIGKILL)
            os._exit(0)

    def _hang(self, *_):
        while True:
            signal.pause()

    def _int(self, *_):
        self._signal(signal.SIGINT)

    def _term(self, *_):
        self._signal(signal.SIGTERM)

    def _signal(self, number):
        """Waits for what airlock passes on; where it holds signals back, nothing arrives."""
        os.kill(self.airlock, number)
        held = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
        time.sleep(0.1 if held else 10)

    def _full(self, *_):
        for pid in (self.airlock, 0):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def _late(self, fault, engine, sql):
        engine.late(sql, float(fault.value or 1))
        _die()

    def _late_airlock(self, fault, engine, sql):
        engine.late(sql, float(fault.value or 1))
        self._crash_airlock()

    def _orphan(self, fault, engine, sql):
        survivor = engine.late(sql, float(fault.value or 1))
        time.sleep(0.2)  # until the server has the statement
        os.kill(survivor, signal.SIGKILL)
        os.waitpid(survivor, 0)
        _die()


def _die():
    os.kill(os.getpid(), signal.SIGKILL)
