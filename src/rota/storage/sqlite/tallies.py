"""What was decided and what was open, by the minute, on SQLite: an upsert with each verdict, a row each minute."""

from typing import Any

import apsw

from rota.protocol.ids import AttemptId, JobId
from rota.storage.sqlite.database import Database
from rota.storage.sqlite.rows import every
from rota.storage.statements import load
from rota.storage.stores.tallies import Depth, Failure, Ran, Tally

SQL = load(__package__, "tallies.sql")


def count_verdict(connection: apsw.Connection, job: JobId, at: str) -> None:
    """A verdict was given, in the transaction of this deed."""
    connection.execute(SQL["count_verdict"], {"job": job, "at": at})


class SqliteTallies:
    """See the port, `rota.storage.stores.tallies.TallyStore`."""

    def __init__(self, database: Database) -> None:
        self._note, self._read = database.writer.note, database.reader.run

    async def open_now(self) -> dict[str, tuple[int, int]]:
        queued: dict[str, int] = {}
        for environment, count in await self._rows("queued_now"):
            queued[environment] = queued.get(environment, 0) + count
        held = dict(await self._rows("held_now"))
        return {name: (queued.get(name, 0), held.get(name, 0)) for name in queued | held}

    async def keep_depth(self, minute: str, depths: dict[str, tuple[int, int]], forget_before: str) -> None:
        def keep(connection: apsw.Connection) -> None:
            for environment, (queued, running) in depths.items():
                row = {"environment": environment, "minute": minute, "queued": queued, "running": running}
                connection.execute(SQL["insert_depth"], row)
            for statement in ("forget_tallies", "forget_depths"):
                connection.execute(SQL[statement], {"before": forget_before})

        await self._note(keep)

    async def tallies(self, since: str, environment: str | None) -> list[Tally]:
        return [Tally(*row) for row in await self._rows("tallies", since=since, environment=environment)]

    async def depths(self, since: str, environment: str | None) -> list[Depth]:
        return [Depth(*row) for row in await self._rows("depths", since=since, environment=environment)]

    async def failures(self, since: str, environment: str | None, limit: int, tail_size_bytes: int) -> list[Failure]:
        asked = {"since": since, "environment": environment, "limit": limit, "tail": tail_size_bytes}
        return [Failure(*row) for row in await self._rows("failures", **asked)]

    async def runs(self, first: AttemptId, environment: str | None, limit: int) -> list[Ran]:
        asked = {"first": first, "environment": environment, "limit": limit}
        return [Ran(*row) for row in await self._rows("runs", **asked)]

    async def _rows(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401  (bound by SQLite)
        return await self._read(lambda connection: every(connection, SQL[statement], values))
