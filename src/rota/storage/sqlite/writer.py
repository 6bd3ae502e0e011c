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

from rota.protocol.problems import Conflict, Problem, Unavailable

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
    """Runs deeds in the order in which they came; each is a transaction of its own inside the common commit."""

    def __init__(self, path: Path) -> None:
        self._path = path
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

        Raises what the deed raised (its changes are undone) and Unavailable where the disk failed it.
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
        try:
            while batch := self._next():
                self._answer(self._commit(connection, batch))
        finally:
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
            connection.execute(_DURABLE if any(wanted.is_durable for wanted in batch) else _KEPT)
            connection.execute("BEGIN IMMEDIATE")
            for deed, done, _ in batch:
                connection.execute("SAVEPOINT deed")
                try:
                    answers.append((done, deed(connection), None))
                except Exception as error:  # noqa: BLE001  (it is raised again where the deed was asked for)
                    connection.execute("ROLLBACK TO deed")
                    answers.append((done, None, _as_problem(error)))
                connection.execute("RELEASE deed")
            connection.execute("COMMIT")
        except apsw.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            problem = _as_problem(error)
            return [(wanted.done, None, problem) for wanted in batch]
        return answers

    def _answer(self, answers: list[tuple[asyncio.Future[Any], Any, BaseException | None]]) -> None:
        def tell() -> None:
            for done, value, error in answers:
                if done.done():
                    continue  # its caller has gone
                if error is None:
                    done.set_result(value)
                else:
                    done.set_exception(error)

        assert self._loop is not None  # noqa: S101  (start() came first)
        self._loop.call_soon_threadsafe(tell)


def _as_problem(error: Exception) -> BaseException:
    if isinstance(error, Problem):
        return error
    if isinstance(error, apsw.FullError | apsw.IOError | apsw.CantOpenError | apsw.ReadOnlyError):
        return Unavailable(f"The server's disk does not take writes ({error}); nothing was changed.")
    if isinstance(error, apsw.BusyError):
        return Unavailable("Another program holds the server's database; nothing was changed. Let it go.")
    if isinstance(error, apsw.ConstraintError):
        return Conflict("It exists already, or refers to what does not exist.")
    return error
