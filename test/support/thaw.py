"""Asks a stand-in service to keep what it is now, and to be that again (frozen.py):
python3 thaw.py freeze|thaw ADDRESS"""

import http.client
import sys
import time
import urllib.error
import urllib.request


def freeze(address):
    _ask(address, "freeze")
    thaw(address)


def thaw(address):
    """Once it is frozen its server ends without an answer, and the next one begins."""
    try:
        while not _ask(address, "thaw"):
            time.sleep(0.02)
    except (ConnectionError, http.client.RemoteDisconnected):
        pass


def _ask(address, what):
    try:
        urllib.request.urlopen(urllib.request.Request(f"{address}/standin/{what}", b""), timeout=60).close()
        return True
    except urllib.error.HTTPError:
        return False


if __name__ == "__main__":
    {"freeze": freeze, "thaw": thaw}[sys.argv[1]](sys.argv[2])
