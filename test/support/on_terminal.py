"""A command on a terminal of its own, where each question is answered with the next word:

    on_terminal.py yes,no COMMAND...

Prints what stood there and ends as the command does. A question without an answer is left (an end of file).
"""

import os
import pty
import sys

QUESTION = b"Only 'yes' does: "
END_OF_FILE = b"\x04"


def main(words, *command):
    answers = [word.encode() + b"\n" for word in words.split(",") if word]
    pid, terminal = pty.fork()
    if not pid:
        os.execvp(command[0], command)
    text, asked = b"", 0
    while True:
        try:
            more = os.read(terminal, 65536)
        except OSError:  # what Linux says when the other end is closed
            break
        if not more:
            break
        text += more
        while text.count(QUESTION) > asked:
            os.write(terminal, answers[asked] if asked < len(answers) else END_OF_FILE)
            asked += 1
    sys.stdout.buffer.write(text.replace(b"\r\n", b"\n"))
    sys.stdout.flush()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
