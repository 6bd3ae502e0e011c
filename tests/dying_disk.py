"""`rota` that is killed with SIGKILL as it is about to write a commit, once the file DIES_ONCE exists.

All else is real. The commit is cut off at its DIES_AT_WRITE-th write to SQLite's write-ahead log, counted from 0.
"""

import os
import signal
from pathlib import Path

import apsw


class DyingFile(apsw.VFSFile):
    """The write-ahead log of a database."""

    def __init__(self, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        self._left = int(os.environ["DIES_AT_WRITE"])

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802  (SQLite's word)
        if Path(os.environ["DIES_ONCE"]).exists():
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            self._left -= 1
        super().xWrite(data, offset)


class DyingDisk(apsw.VFS):
    """SQLite's own, but for that."""

    def __init__(self) -> None:
        super().__init__("dying", "unix", makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802  (as above)
        is_log = flags[0] & apsw.SQLITE_OPEN_WAL
        return DyingFile(name, flags) if is_log else apsw.VFSFile("unix", name, flags)


if __name__ == "__main__":
    from rota.cli.main import main

    disk = DyingDisk()
    main()
