"""Who may speak to the shepherd: the agent, which holds the work folder's lock; no job of the same user.

A record lock (fcntl(2), F_SETLK) is a process's own: nobody inherits it, the kernel says whose it is, and it is gone
with its process.
"""

import contextlib
import fcntl
import os
import socket
import struct
from pathlib import Path

LOCK_NAME = "lock"
_FLOCK = "hhqqi4x"  # struct flock of fcntl(2): type, whence, start, length, process
_UCRED = "iII"  # struct ucred of unix(7): process, user, group


def lock(work_dir: Path) -> int | None:
    """Held until this process ends, however it ends. None: another process holds it. Raises OSError."""
    file = os.open(work_dir / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return file


def peer(end: socket.socket) -> int:
    """The process that connected, or that listens."""
    credentials = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize(_UCRED))
    pid: int = struct.unpack(_UCRED, credentials)[0]
    return pid


class Door:
    """Opened before any job runs: whoever puts another file in the lock's place holds nothing."""

    def __init__(self, work_dir: Path) -> None:
        self._lock = os.open(work_dir / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def may_enter(self, end: socket.socket) -> bool:
        """Whether it is the agent that connected."""
        holder = self._holder()
        return holder != 0 and peer(end) == holder

    def _holder(self) -> int:
        """0: nobody."""
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        with contextlib.suppress(OSError):
            kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(self._lock, fcntl.F_GETLK, asked))
            return 0 if kind == fcntl.F_UNLCK else int(pid)
        return 0
