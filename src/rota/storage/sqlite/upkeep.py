"""Looking after the databases, on SQLite: what is out of order in them, and copies of them."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import apsw

from rota.protocol.event import EventType
from rota.protocol.ids import AttemptId, JobId
from rota.protocol.problems import Damaged, Unavailable
from rota.protocol.states import AttemptState, JobState
from rota.storage.sqlite.database import Database
from rota.storage.sqlite.event_log import moved_all
from rota.storage.sqlite.rows import every, first
from rota.storage.sqlite.writer import connect
from rota.storage.statements import load
from rota.storage.stores.jobs import Outcome
from rota.storage.stores.upkeep import RecordedBlob, Tell

SQL = load(__package__, "upkeep.sql")

COMPLAINTS_MAX = 10
_PAGES = 500  # between two looks at whether to go on
_BLOBS = 1000


class SqliteUpkeep:
    """See the port, `rota.storage.stores.upkeep.UpkeepStore`."""

    def __init__(self, database: Database) -> None:
        self._write = database.writer.run
        self._read = database.reader.run

    async def blobs(self, after: RecordedBlob | None, limit: int) -> list[RecordedBlob]:
        return await self._read(lambda connection: _blobs(connection, after, limit))

    async def states(self, attempts: Sequence[AttemptId]) -> dict[AttemptId, tuple[AttemptState, frozenset[str]]]:
        def read(connection: apsw.Connection) -> dict[AttemptId, tuple[AttemptState, frozenset[str]]]:
            found: dict[AttemptId, tuple[AttemptState, frozenset[str]]] = {}
            for attempt in attempts:
                row = first(connection, SQL["attempt_state"], {"attempt": attempt})
                if row is not None:
                    paths = every(connection, SQL["blob_paths"], {"attempt": attempt})
                    found[attempt] = AttemptState(row[0]), frozenset(path for (path,) in paths)
            return found

        return await self._read(read)

    async def without_holder(self, limit: int) -> list[JobId]:
        rows = await self._read(lambda connection: every(connection, SQL["without_holder"], {"limit": limit}))
        return [JobId(row[0]) for row in rows]

    async def put_back(self, jobs: Sequence[JobId]) -> list[Outcome]:
        def put(connection: apsw.Connection) -> list[Outcome]:
            rows = [first(connection, SQL["put_back"], {"job": job}) for job in jobs]
            back = moved_all(connection, EventType.JOB_ATTEMPT_LOST, (row for row in rows if row is not None))
            return [Outcome(job, JobState.WAITING) for job in back]

        return await self._write(put)

    async def undecided(self, limit: int) -> list[JobId]:
        rows = await self._read(lambda connection: every(connection, SQL["undecided_ids"], {"limit": limit}))
        return [JobId(row[0]) for row in rows]

    async def newest_at(self) -> str | None:
        rows = await self._read(lambda connection: every(connection, SQL["newest_at"], {}))
        return max((at for (at,) in rows if at is not None), default=None)


def _blobs(connection: apsw.Connection, after: RecordedBlob | None, limit: int) -> list[RecordedBlob]:
    attempt, path = ("", "") if after is None else (after.attempt_id, after.path)
    rows = every(connection, SQL["blobs"], {"attempt": attempt, "path": path, "limit": limit})
    return [RecordedBlob(*row) for row in rows]


class SqliteFiles:
    """See the port, `rota.storage.stores.upkeep.DatabaseFiles`. Databases by their files' names."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = paths

    @property
    def names(self) -> list[str]:
        return list(self._paths)

    def complaints(self, name: str) -> list[str]:
        return check(self._paths[name])

    def copy(self, name: str, to: Path, tell: Tell) -> int:
        try:
            schema = _copy(self._paths[name], to, tell)
        except (apsw.FullError, apsw.IOError, apsw.CantOpenError) as error:
            raise Unavailable(f"The disk does not take the copy of {name}: {error}") from error
        except (apsw.CorruptError, apsw.NotADBError) as error:
            raise Damaged(f"{name} is damaged: {error}. `rota doctor` says more.") from error
        complaints = check(to)
        if complaints:
            raise Damaged(f"{name} is damaged: {complaints[0]}. `rota doctor` says more.")
        return schema

    def blobs_in(self, file: Path) -> Iterator[list[RecordedBlob]]:
        connection = connect(file, readonly=True)
        try:
            after: RecordedBlob | None = None
            if not connection.table_exists(None, "output"):
                return  # the registry's
            while batch := _blobs(connection, after, _BLOBS):
                yield batch
                after = batch[-1]
        finally:
            connection.close()


def check(path: Path) -> list[str]:
    """What SQLite's own check says against a database; empty: it is sound. Blocks for as long as reading it takes."""
    try:
        connection = connect(path, readonly=True)
        try:
            found = [row[0] for row in connection.execute(f"PRAGMA quick_check({COMPLAINTS_MAX})")]
            orphans = list(connection.execute("PRAGMA foreign_key_check"))
        finally:
            connection.close()
    except (apsw.CorruptError, apsw.NotADBError, apsw.IOError, apsw.CantOpenError) as error:
        return [str(error)]
    broken = [f"a row of {table} refers to one of {parent} that is not there" for table, _, parent, _ in orphans]
    return ([] if found == ["ok"] else found) + broken[:COMPLAINTS_MAX]


def schema_of(path: Path) -> int:
    """The number of the last step that was taken. Raises apsw.Error where it is no database."""
    connection = connect(path, readonly=True)
    try:
        return int(connection.pragma("user_version") or 0)
    finally:
        connection.close()


def _copy(path: Path, to: Path, tell: Tell) -> int:
    """SQLite's online backup. The open transaction keeps one moment, however long the copying takes."""
    source, copy = connect(path, readonly=True), apsw.Connection(str(to))
    try:
        source.execute("BEGIN")
        schema = int(source.pragma("user_version") or 0)
        copy.execute("PRAGMA synchronous=OFF")  # it is made durable at the end, as a whole
        with copy.backup("main", source, "main") as backup:
            while not backup.done:
                backup.step(_PAGES)
                done = backup.page_count - backup.remaining
                tell(done * _page_size(source), backup.page_count * _page_size(source))
        source.execute("COMMIT")
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
    finally:
        source.close()
        copy.close()
    with to.open("rb+") as written:
        os.fsync(written.fileno())
    to.chmod(0o600)
    return schema


def _page_size(connection: apsw.Connection) -> int:
    return int(connection.pragma("page_size") or 0)
