"""One connection of a machine to the host's loopback: relay.py PORT

QEMU starts it for each, with what the machine sends as its input and what it gets as its output.
"""

import os
import socket
import sys
from threading import Thread

_AT_ONCE = 65_536


def main() -> None:
    """Carry bytes both ways until both ends have ended."""
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as there:

        def carry_in() -> None:
            while data := there.recv(_AT_ONCE):
                os.write(1, data)
            os._exit(0)

        Thread(target=carry_in, daemon=True).start()
        while data := os.read(0, _AT_ONCE):
            there.sendall(data)


if __name__ == "__main__":
    main()
