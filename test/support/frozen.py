"""A stand-in service that can be put back as it was. POST /standin/freeze ends the serving: from then on
this process only holds what there is, and a child of it serves. POST /standin/thaw ends the child, without
an answer: the next one begins with the same again, and what the other had still to do is gone. Until it
is frozen a thaw is refused."""

import os
import threading
import time

from starlette.responses import JSONResponse
from starlette.routing import Route

HOLDER = []  # the process that holds what is frozen


def run(serve, owner):
    """serve() returns when it is to be frozen; nothing of it may run in a thread then."""
    while True:
        watch(owner)
        serve()
        HOLDER[:] = [os.getpid()]
        while os.fork():
            _, status = os.wait()
            if status:
                os._exit(1)
        owner = HOLDER[0]


def routes(stop):
    """`stop` makes serve() return."""

    async def freeze(_request):
        stop()
        return JSONResponse({"success": True})

    async def thaw(_request):
        if HOLDER:
            os._exit(0)
        return JSONResponse({"success": False}, 409)

    return [Route("/standin/freeze", freeze, methods=["POST"]), Route("/standin/thaw", thaw, methods=["POST"])]


def watch(owner):
    """This process ends with it."""

    def wait():
        while os.path.exists(f"/proc/{owner}"):
            time.sleep(0.5)
        os._exit(0)

    if owner:
        threading.Thread(target=wait, daemon=True).start()
