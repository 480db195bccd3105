"""What goes over the socket between a stage that was started and the fork that runs in its place.

An order with three file descriptors and its answer; then a byte for each signal one way, and how
the fork ended the other way.
"""

import os
import signal
import socket
import struct
import threading
from contextlib import suppress

TAKEN, OTHER, GO = b"t", b"o", b"g"
"""Answers: it can be done; it cannot, since the surroundings differ. And: do it."""
_LENGTH = struct.Struct("!Q")
_MOST_BYTES = 16 * 2**20
_STATUS = struct.Struct("!i")


def send(connection: socket.socket, text: bytes, fds: list[int]) -> None:
    socket.send_fds(connection, [_LENGTH.pack(len(text))], fds)
    connection.sendall(text)


def receive(connection: socket.socket) -> tuple[bytes, list[int]]:
    """Receive a whole order; else OSError or ValueError, and its descriptors are closed."""
    head, fds, *_ = socket.recv_fds(connection, _LENGTH.size, 3)
    try:
        (length,) = _LENGTH.unpack(_all(connection, _LENGTH.size, head))
        if length > _MOST_BYTES or len(fds) != 3:
            raise ValueError("not an order")
        return _all(connection, length), fds
    except BaseException:
        for fd in fds:
            os.close(fd)
        raise


def status(wait_status: int) -> bytes:
    """See `os.waitpid`."""
    return _STATUS.pack(wait_status)


def wait(connection: socket.socket) -> int | None:
    """Wait for the other end's `status`; None if it died itself."""
    try:
        return int(_STATUS.unpack(_all(connection, _STATUS.size))[0])
    except (OSError, ValueError):
        return None


class Signals:
    """Sends a child each signal that comes as a byte, and SIGKILL when no more can come."""

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self._connection, self._pid = connection, pid
        self._lock, self._ended = threading.Lock(), False
        threading.Thread(target=self._listen, daemon=True).start()

    def wait(self) -> int:
        """Status of the child, see `os.waitpid`; nothing is sent to it any more."""
        os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOWAIT)
        with self._lock:  # its number may be another process's afterwards
            self._ended = True
            return os.waitpid(self._pid, 0)[1]

    def _listen(self) -> None:
        while byte := _byte(self._connection):
            self._send(byte)
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        with self._lock, suppress(ProcessLookupError):
            if not self._ended:
                os.kill(self._pid, number)


def _byte(connection: socket.socket) -> int:
    try:
        return int.from_bytes(connection.recv(1), "big")
    except OSError:
        return 0


def _all(connection: socket.socket, size: int, begun: bytes = b"") -> bytes:
    found = bytearray(begun)
    while len(found) < size:
        part = connection.recv(size - len(found))
        if not part:
            raise ValueError("cut off")
        found += part
    return bytes(found)
