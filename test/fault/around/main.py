"""The real dbt, and what goes wrong before or after a whole command of it: DIRECT_FAULT with call 0, and
DIRECT_TRACE, as the stand-in for dbt has them (test/support/direct). AROUND_DBT starts that dbt."""

import os
import pathlib
import signal
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "test/support/direct"))

from arguments import Arguments  # noqa: E402
from faults import Faults, Injected, Lost  # noqa: E402
from trace import Trace  # noqa: E402

DBT = os.environ["AROUND_DBT"]
PASSED_ON = (signal.SIGINT, signal.SIGTERM)  # by airlock, to the whole group


def main(words):
    arguments = Arguments(words)
    trace = Trace(arguments.verb, arguments.text("target"))
    faults = Faults(trace, log=None)
    try:
        faults.meet("before", 0)
        status = run(words)
        faults.meet("after", 0)
    except Injected as error:
        sys.stderr.write(f"{error}\n")
        status = 2
    except Lost:
        status = 0
    trace.ended(status)
    return status


def run(words):
    """Its exit status; -N when it died by signal N."""
    pid = os.fork()
    if pid == 0:
        os.execv(DBT, [DBT, *words])
    before = [signal.signal(number, signal.SIG_IGN) for number in PASSED_ON]
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    for number, handler in zip(PASSED_ON, before):
        signal.signal(number, handler)
    return status


signal.signal(signal.SIGINT, signal.SIG_DFL)  # without a traceback
status = main(sys.argv[1:])
if status < 0:
    os.kill(os.getpid(), -status)
sys.exit(status)
