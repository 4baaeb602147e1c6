"""A dbt without a start of Python for each command: whoever calls serve() has imported everything, and
there is a fork of it for each command that client.c brings. It ends with its standard input.

The child is what a process that was started there would be: it has its descriptors, directory,
environment, process group, signals and limit of file sizes, and dies with the client.
"""

import array
import fcntl
import gc
import os
import resource
import select
import selectors
import signal
import socket
import struct
import traceback

REQUEST = struct.Struct("=6I3Q")  # struct request of client.c
PASSED = 4
HELD = []  # by a command to its end: who closes it is no longer told that the client is gone


def receive(connection):
    """(parent, group, blocked, ignored, limit), descriptors, words, environment."""
    head, control, _, _ = connection.recvmsg(REQUEST.size, socket.CMSG_SPACE(PASSED * array.array("i").itemsize))
    passed = array.array("i")
    for _, _, data in control:
        passed.frombytes(data)
    parent, group, words, variables, size, _, blocked, ignored, limit = REQUEST.unpack(head)
    texts = b""
    while len(texts) < size:
        some = connection.recv(size - len(texts))
        if not some:
            raise ConnectionError("the client is gone")
        texts += some
    found = [os.fsdecode(text) for text in texts.split(b"\0")[:-1]]
    environment = dict(text.split("=", 1) for text in found[words:words + variables])
    return (parent, group, blocked, ignored, limit), passed, found[:words], environment


def become(connection, inherited, passed, environment):
    """This process, a child of the server, takes the client's place."""
    parent, group, blocked, ignored, limit = inherited
    os.getppid = lambda: parent
    os.setpgid(0, group)
    for number, descriptor in enumerate(passed[:3]):
        os.dup2(descriptor, number)
    os.fchdir(passed[3])
    for descriptor in passed:
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(environment)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit if limit < 2**63 else resource.RLIM_INFINITY, hard))
    handlers = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    for number, handler in handlers.items():
        signal.signal(number, signal.SIG_IGN if ignored >> number & 1 else handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, [n for n in range(1, 32) if blocked >> n & 1])
    die_with(connection)


def die_with(connection):
    """The kernel kills this process when the other end is closed."""
    fcntl.fcntl(connection, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(connection, fcntl.F_SETSIG, signal.SIGKILL)
    flags = fcntl.fcntl(connection, fcntl.F_GETFL)
    fcntl.fcntl(connection, fcntl.F_SETFL, flags | os.O_ASYNC)
    closed = select.poll()
    closed.register(connection, select.POLLHUP)
    if closed.poll(0):
        os.kill(os.getpid(), signal.SIGKILL)


def start(connection):
    """The process that does it, and in that process (0, its words)."""
    inherited, passed, words, environment = receive(connection)
    pid = os.fork()
    if pid == 0:
        try:
            become(connection, inherited, passed, environment)
        except Exception:  # of the harness: whoever asked has its text
            traceback.print_exc()
            os._exit(126)
        return 0, words
    for descriptor in passed:
        os.close(descriptor)
    return pid, None


def finish(connection, pid):
    _, status = os.waitpid(pid, 0)
    try:
        connection.sendall(struct.pack("=i", status))
    except OSError:
        pass  # whoever asked was killed
    connection.close()


def serve(path):
    """The words of a command, in the process that is to do it; None when there are no more."""
    gc.disable()
    gc.freeze()
    events = selectors.DefaultSelector()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen(128)
        events.register(listener, selectors.EVENT_READ)
        events.register(0, selectors.EVENT_READ)
        print("ready", flush=True)
        while True:
            for key, _ in events.select():
                if key.fileobj == 0:
                    return None
                if key.fileobj is listener:
                    connection, _ = listener.accept()
                    try:
                        pid, words = start(connection)
                    except (OSError, struct.error):  # whoever asked was killed
                        connection.close()
                        continue
                    if pid == 0:
                        HELD.append(connection)
                        return words
                    descriptor = os.pidfd_open(pid)
                    events.register(descriptor, selectors.EVENT_READ, (connection, pid))
                else:
                    events.unregister(key.fileobj)
                    os.close(key.fileobj)
                    finish(*key.data)
