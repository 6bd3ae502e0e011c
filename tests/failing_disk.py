"""`rota` on a disk that does not confirm writes while the file FAILS_WHILE exists: a fake of what fsync(2) calls EIO.

Each confirmation takes FSYNC_TAKES_S seconds.

All else is real: SQLite through a VFS of its own, logs and artifacts through os.fsync.
"""

import errno
import os
import threading
from pathlib import Path
from typing import Any

import apsw

_really = os.fsync


def fails() -> bool:
    """Whether the disk is broken now; known as soon as the disk says so, which takes its time."""
    threading.Event().wait(float(os.environ.get("FSYNC_TAKES_S", "0")))
    return Path(os.environ["FAILS_WHILE"]).exists()


def fsync(fd: Any) -> None:  # noqa: ANN401  (as os.fsync takes it)
    """Fails where it is told to, once the bytes were written."""
    if fails():
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    _really(fd)


class FailingFile(apsw.VFSFile):
    """A database, its WAL or its journal."""

    def xSync(self, flags: int) -> None:  # noqa: N802  (SQLite's word)
        if fails():
            error = apsw.IOError("Input/output error")
            error.extendedresult = apsw.SQLITE_IOERR_FSYNC  # type: ignore[attr-defined]
            raise error
        super().xSync(flags)


class FailingDisk(apsw.VFS):
    """SQLite's own, but for fsync."""

    def __init__(self) -> None:
        super().__init__("failing", "unix", makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802  (as above)
        return FailingFile("unix", name, flags)


if __name__ == "__main__":
    from rota.cli.main import main

    os.fsync = fsync
    disk = FailingDisk()
    main()
