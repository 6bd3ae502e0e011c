"""One connection that writes, in one thread, committing all that wait at once (group commit).

A commit costs one fsync however many requests it carries, so that many callers are as cheap as one.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import apsw

from rota.protocol.problems import Conflict, Unavailable
from rota.storage.disk import Disk

T = TypeVar("T")
Deed = Callable[[apsw.Connection], Any]


class Wanted(NamedTuple):
    """A deed that waits for its turn. `is_durable`: its commit is to outlive the machine, not this process alone."""

    deed: Deed
    done: asyncio.Future[Any]
    is_durable: bool


_BATCH_MAX = 1000
_DURABLE, _KEPT = "PRAGMA synchronous=FULL", "PRAGMA synchronous=NORMAL"
_BUSY_MS = 5000
_CHECKPOINT_PAGES = 1000
_NOT_SYNCED = frozenset({apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_IOERR_DIR_FSYNC})
"""What SQLite says where fsync failed: the kernel may have dropped what it was to write, and says so only once."""

DISK_ERRORS = (apsw.FullError, apsw.IOError, apsw.CantOpenError, apsw.ReadOnlyError)


def connect(path: Path, *, readonly: bool = False) -> apsw.Connection:
    """A connection with Rota's settings: WAL, every commit on disk before it is acknowledged, foreign keys."""
    flags = apsw.SQLITE_OPEN_READONLY if readonly else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    connection = apsw.Connection(str(path), flags=flags, statementcachesize=200)
    connection.set_busy_timeout(_BUSY_MS)
    if not readonly:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(_DURABLE)
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA cache_size=-16384")
    return connection


class Writer:
    """Runs deeds in the order in which they came; each is a transaction of its own inside the common commit.

    `on_commit` is called on the event loop after each.
    """

    on_commit: Callable[[], None] | None = None

    def __init__(self, path: Path, disk: Disk | None = None) -> None:
        self._path = path
        self._disk = disk or Disk()
        self._waiting: queue.SimpleQueue[Wanted | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"writer {path.name}", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin; call it from the event loop that will await the deeds."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def stop(self) -> None:
        """Finish what waits, close the connection, come back. Blocks."""
        self._waiting.put(None)
        self._thread.join()

    async def run(self, deed: Callable[[apsw.Connection], T]) -> T:
        """What the deed returned, once it is durable.

        Raises what the deed raised (its changes are undone), and Unavailable where the disk failed it.
        """
        return await self._ask(deed, is_durable=True)

    async def note(self, deed: Callable[[apsw.Connection], T]) -> T:
        """As `run`, without waiting for the disk: it outlives this process, a crash of the machine may take it."""
        return await self._ask(deed, is_durable=False)

    async def _ask(self, deed: Callable[[apsw.Connection], T], *, is_durable: bool) -> T:
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.put(Wanted(deed, done, is_durable))
        return await done

    def _work(self) -> None:
        connection = connect(self._path)
        connection.set_wal_hook(self._checkpoint)
        try:
            while batch := self._next():
                self._answer(self._commit(connection, batch))
        finally:
            # What a broken disk did not confirm must not be copied to where it counts as confirmed.
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, int(self._disk.is_broken))
            connection.close()

    def _next(self) -> list[Wanted]:
        """All that wait; empty when it is time to stop."""
        first = self._waiting.get()
        if first is None:
            return []
        batch = [first]
        while len(batch) < _BATCH_MAX:
            try:
                another = self._waiting.get_nowait()
            except queue.Empty:
                break
            if another is None:
                self._waiting.put(None)
                break
            batch.append(another)
        return batch

    def _commit(
        self, connection: apsw.Connection, batch: list[Wanted]
    ) -> list[tuple[asyncio.Future[Any], Any, BaseException | None]]:
        answers: list[tuple[asyncio.Future[Any], Any, BaseException | None]] = []
        try:
            self._disk.check_trust()
            connection.execute(_DURABLE if any(wanted.is_durable for wanted in batch) else _KEPT)
            connection.execute("BEGIN IMMEDIATE")
            for deed, done, _ in batch:
                connection.execute("SAVEPOINT deed")
                try:
                    answers.append((done, deed(connection), None))
                except Exception as error:  # it is raised again where the deed was asked for
                    if isinstance(error, apsw.Error) and not connection.in_transaction:
                        raise  # SQLite itself has undone the whole batch
                    connection.execute("ROLLBACK TO deed")
                    answers.append((done, None, as_problem(error)))
                connection.execute("RELEASE deed")
            connection.execute("COMMIT")
        except (apsw.Error, Unavailable) as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if isinstance(error, apsw.FullError) and len(batch) > 1:  # what is small may fit without what is large
                return [answer for one in batch for answer in self._commit(connection, [one])]
            self._distrust(error)
            problem = as_problem(error)
            return [(wanted.done, None, problem) for wanted in batch]
        return answers

    def _checkpoint(self, connection: apsw.Connection, name: str, pages: int) -> int:
        """Of what was committed, into the main file: SQLite's own would not tell that the disk did not confirm it."""
        if pages >= _CHECKPOINT_PAGES:
            try:
                connection.wal_checkpoint(name, apsw.SQLITE_CHECKPOINT_PASSIVE)
            except (apsw.IOError, apsw.FullError, apsw.BusyError) as error:  # the WAL keeps it all; tried again
                self._distrust(error)
        return apsw.SQLITE_OK

    def _distrust(self, error: Exception) -> None:
        if _is_unsynced(error):
            self._disk.distrust(error)

    def _answer(self, answers: list[tuple[asyncio.Future[Any], Any, BaseException | None]]) -> None:
        def tell() -> None:
            for done, value, error in answers:
                if done.done():
                    continue  # its caller has gone
                if error is None:
                    done.set_result(value)
                else:
                    done.set_exception(error)
            if self.on_commit is not None:
                self.on_commit()

        assert self._loop is not None  # noqa: S101  (start() came first)
        self._loop.call_soon_threadsafe(tell)


def _is_unsynced(error: Exception) -> bool:
    return isinstance(error, apsw.IOError) and getattr(error, "extendedresult", 0) in _NOT_SYNCED


def as_problem(error: Exception) -> BaseException:
    """What a caller is told of it; what is no problem of the disk or of the data stays as it is."""
    if isinstance(error, apsw.ConstraintError):
        return Conflict("It exists already, or refers to what does not exist.")
    why = _no_write(error)
    return error if why is None else Unavailable(why)


def _no_write(error: Exception) -> str | None:
    """Why the database could not be written; None where that is not what happened."""
    if isinstance(error, apsw.FullError):
        return "The server's disk is full; nothing was changed."
    if _is_unsynced(error):
        return "The server's disk failed to confirm a write; what became of it shows after a new start."
    if isinstance(error, DISK_ERRORS):
        return f"The server's disk does not take writes ({error}); nothing was changed."
    if isinstance(error, apsw.BusyError):
        return "Another program holds the server's database; nothing was changed. Let it go."
    return None
