"""Simulated disks: a database whose commits are steps, and a folder of which a power cut keeps what was synced.

SQLite and the SQL are the real ones, in memory; files are real ones too, and what `sync` is told of is remembered.
"""

import errno
import os
import random
import shutil
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

import apsw

from rota.storage.disk import Disk
from rota.storage.sqlite.database import Database, _take_steps
from rota.storage.sqlite.reader import Reader
from rota.storage.sqlite.writer import Wanted, Writer, connect
from simulation.driver import Killed
from simulation.process import Process

T = TypeVar("T")
RESERVE_ROWS = 200
"""So many fit into what is kept back for results, once, until there is room again."""
COMMIT_S = 0.001
READ_S = 0.0002


@cache
def empty(schema: str) -> bytes:
    """A database with all migrations."""
    connection = connect(Path(":memory:"))
    _take_steps(connection, Path(schema), schema)
    return connection.serialize("main")


class Kept:
    """A database, which outlives the processes that write to it; a power cut takes what was not to be durable."""

    def __init__(self, schema: str) -> None:
        self.connection = connect(Path(":memory:"))
        self.connection.deserialize("main", empty(schema))
        self._durable: bytes | None = None
        self.is_full = False
        self._reserve_rows, self._room_rows = RESERVE_ROWS, 0

    def fill(self) -> None:
        """Nothing more fits on its disk, but what is kept back."""
        self.is_full, self._room_rows = True, 0

    def make_room(self) -> None:
        """There is room again, also for the reserve."""
        self.is_full, self._reserve_rows = False, RESERVE_ROWS

    def give_up_reserve(self) -> None:
        """For results."""
        if self.is_full:
            self._room_rows, self._reserve_rows = self._room_rows + self._reserve_rows, 0

    def take(self, rows: int) -> None:
        """Room for changed rows. Raises apsw.FullError where there is none, as SQLite does."""
        if self.is_full and rows:
            if rows > self._room_rows:
                raise apsw.FullError("database or disk is full")
            self._room_rows -= rows

    def noted(self) -> None:
        """A commit follows that need not be on disk: what is there now is what a power cut leaves."""
        if self._durable is None:
            self._durable = self.connection.serialize("main")

    def synced(self) -> None:
        """All of it is on disk."""
        self._durable = None

    def lose_unsynced(self) -> None:
        """The power is cut."""
        if self._durable is not None:
            self.connection.deserialize("main", self._durable)
            self._durable = None


class KeptDisk(Disk):
    """The disk below a database, and what follows where it is full."""

    def __init__(self, kept: Kept) -> None:
        super().__init__()
        self._kept = kept

    def check_upload(self) -> None:
        self.check_work()

    def why_no_work(self) -> str | None:
        return "The server's disk is full." if self._kept.is_full else None

    def give_up_reserve(self) -> None:
        self._kept.give_up_reserve()


class KeptDatabase(Database):
    """See `rota.storage.sqlite.database.Database`; `committed` is told after each commit."""

    def __init__(self, kept: Kept, process: Process, committed: Callable[[], None]) -> None:
        self.disk = KeptDisk(kept)
        self.writer = SteppedWriter(kept, process, committed)
        self.reader = SteppedReader(kept, process)


class SteppedWriter(Writer):
    """The real group commit, without a thread: what waits is committed a while later, and answered a while after."""

    def __init__(self, kept: Kept, process: Process, committed: Callable[[], None]) -> None:
        self._kept, self._process, self._committed = kept, process, committed
        self._disk = Disk()
        self._batch: list[Wanted] = []
        self._loop = process.loop
        self._is_busy = False

    async def _ask(self, deed: Callable[[apsw.Connection], T], *, is_durable: bool) -> T:
        done = self._process.loop.create_future()
        self._batch.append(Wanted(partial(self._within_room, deed), done, is_durable))
        self._go_on()
        answer: T = await done
        return answer

    def _within_room(self, deed: Callable[[apsw.Connection], T], connection: apsw.Connection) -> T:
        before = connection.total_changes()
        answer = deed(connection)
        self._kept.take(connection.total_changes() - before)
        return answer

    def _go_on(self) -> None:
        if self._batch and not self._is_busy:
            self._is_busy = True
            self._process.loop.call_later(COMMIT_S + self._process.loop.block_s(), self._turn)

    def _turn(self) -> None:
        if self._process.may_die():
            return
        batch, self._batch = self._batch, []
        is_durable = any(wanted.is_durable for wanted in batch)
        if not is_durable:
            self._kept.noted()
        answers = self._commit(self._kept.connection, batch)
        if is_durable:
            self._kept.synced()
        self._committed()
        if self._process.may_die():
            return
        self._is_busy = False
        self._answer(answers)
        self._go_on()


class SteppedReader(Reader):
    """Reads at once; a long read's answer comes a moment later."""

    def __init__(self, kept: Kept, process: Process) -> None:
        self._kept, self._process = kept, process

    def look(self, question: Callable[[apsw.Connection], T]) -> T:
        return question(self._kept.connection)

    async def run(self, question: Callable[[apsw.Connection], T]) -> T:
        answer = question(self._kept.connection)
        await self._process.world.sleep(READ_S)
        return answer


class Folder:
    """A machine's folder. After a power cut it holds what was synced, and chance says what else."""

    def __init__(self, root: Path, chance: random.Random) -> None:
        self.root = root
        root.mkdir(parents=True)
        self._links = root.with_name(root.name + ".synced")
        self._links.mkdir()
        self.is_full = False
        self._chance = chance
        self._sizes: dict[int, int] = {}
        self._names: dict[Path, dict[str, int]] = {}

    def fill(self) -> None:
        """Nothing more fits, but what a worker has kept back."""
        self.is_full = True
        (self.root / "reserve").touch()

    def sync(self, file: int, may_die: Callable[[], bool] = lambda: False, *, is_small: bool = False) -> None:
        """Fsync: of a file its bytes, of a folder its names. What is small fits into a reserve that was given up."""
        if may_die():
            raise Killed
        if self.is_full and not (is_small and not (self.root / "reserve").exists()):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        found = os.fstat(file)
        path = Path(f"/proc/self/fd/{file}").readlink()
        if not path.is_dir():
            self._sizes[found.st_ino] = found.st_size
        else:
            self._names[path] = {}
            with os.scandir(path) as entries:
                for entry in entries:
                    self._names[path][entry.name] = entry.inode()
                    link = self._links / str(entry.inode())
                    if entry.is_file(follow_symlinks=False) and not link.exists():
                        os.link(entry.path, link)
        if may_die():
            raise Killed

    def durable(self, folder: Path) -> list[bytes]:
        """What every power cut would leave of the files in `folder`."""
        inodes = self._names.get(folder, {}).values()
        return [(self._links / str(inode)).read_bytes()[: self._sizes.get(inode, 0)] for inode in inodes]

    def lose_unsynced(self, folder: Path) -> None:
        """The power is cut: what was not synced is there, or cut short, or gone."""
        synced = self._names.get(folder, {})
        for path in sorted(folder.iterdir()):
            if path.name not in synced and self._chance.random() < 0.5:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            elif path.is_dir():
                self.lose_unsynced(path)
            else:
                self._shorten(path)
        for name, inode in synced.items():
            link = self._links / str(inode)
            if link.exists() and not (folder / name).exists() and self._chance.random() < 0.5:
                os.link(link, folder / name)  # its removal had not been synced

    def _shorten(self, path: Path) -> None:
        found = path.stat()
        least = self._sizes.get(found.st_ino, 0)
        if found.st_size > least:
            os.truncate(path, self._chance.randint(least, found.st_size))
