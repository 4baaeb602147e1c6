"""The JSON log of dbt 1.11 on stdout, one line per event."""

import json
import os
import sys
import time


def new_id():
    """A random UUID, without the imports of `uuid`."""
    h = bytearray(os.urandom(16))
    h[6], h[8] = h[6] & 0x0F | 0x40, h[8] & 0x3F | 0x80
    h = h.hex()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def now():
    seconds = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1e6):06d}Z"


class Log:
    """`muted`: nothing is printed any more, as if the pipe had lost it."""

    def __init__(self):
        self.invocation_id = new_id()
        self.muted = False

    def event(self, name, code, message, level="info", /, **data):
        if self.muted:
            return
        info = {"category": "", "code": code, "extra": {}, "invocation_id": self.invocation_id}
        info |= {"level": level, "msg": message, "name": name, "pid": os.getpid()}
        info |= {"thread": "MainThread", "ts": now()}
        sys.stdout.write(json.dumps({"data": data, "info": info}) + "\n")
        sys.stdout.flush()

    def started(self, adapter):
        self.event("MainReportVersion", "A001", "Running with dbt=1.11.16", version="=1.11.16", log_version=3)
        self.event("AdapterRegistered", "E034", f"Registered adapter: {adapter}", adapter_name=adapter)

    def printed(self, text):
        self.event("PrintEvent", "Z052", text, msg=text)

    def operation_failed(self, text):
        self.event("RunningOperationCaughtError", "Q001",
                   f"Encountered an error while running operation: {text}", "error", exc=text)

    def no_connection(self, text):
        """What becomes of a database that cannot be opened, with dbt-duckdb."""
        self.event("RunningOperationUncaughtError", "Q036",
                   f"Encountered an error while running operation: {text}", "error", exc=text)

    def failed(self, text):
        self.event("MainEncounteredError", "Z002", f"Encountered an error:\n{text}", "error", exc=text)


def heading(kind, text):
    """An error as dbt prints it: a heading, and the message indented under it."""
    return "\n  ".join([kind, *text.split("\n")])
