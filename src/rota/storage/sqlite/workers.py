"""The registry's store on SQLite, in a file of its own."""

from collections.abc import Sequence
from typing import Any

import apsw
import msgspec

from rota.protocol.ids import AttemptId, Incarnation, WorkerId
from rota.protocol.placement import WorkerFacts
from rota.protocol.status import AT_WORK, Acknowledgement, Status, WorkerStatus
from rota.protocol.worker import Worker
from rota.storage.sqlite.database import Database
from rota.storage.sqlite.rows import every
from rota.storage.statements import load
from rota.storage.stores.workers import Seen

SQL = load(__package__, "workers.sql")


class SqliteWorkers:
    """See the port, `rota.storage.stores.workers.WorkerStore`."""

    def __init__(self, database: Database) -> None:
        self._write, self._note = database.writer.run, database.writer.note
        self._look, self._read = database.reader.look, database.reader.run

    async def insert(self, facts: WorkerFacts, version: str, heartbeat_s: float, at: str) -> None:
        row = {"id": facts.worker_id, "environment": facts.environment, "name": facts.name, "slots": facts.slots}
        row |= {"labels": _json(facts.labels), "executors": _json(facts.executors)}
        row["resources"] = _json(facts.resources)
        row |= {"version": version, "heartbeat_s": heartbeat_s, "at": at}
        await self._write(lambda connection: connection.execute(SQL["insert"], row).fetchall())

    async def seen(self, worker: WorkerId) -> Seen | None:
        rows = self._rows_now("seen", worker=worker)
        return Seen(rows[0][0], bool(rows[0][1])) if rows else None

    async def status(self, worker: WorkerId, incarnation: Incarnation, status: Status, at: str) -> None:
        await self._note(lambda connection: _status(connection, worker, incarnation, status, at))

    async def lost(self, unseen_before: Sequence[tuple[WorkerId, str]]) -> list[WorkerId]:
        def mark(connection: apsw.Connection) -> list[WorkerId]:
            rows = [
                connection.execute(SQL["lost"], {"worker": worker, "seen_at": seen_at}).fetchone()
                for worker, seen_at in unseen_before
            ]
            return [WorkerId(row[0]) for row in rows if row is not None]

        return await self._write(mark)

    async def workers(self, environment: str | None) -> list[Worker]:
        return [_worker(row) for row in await self._rows("workers", environment=environment)]

    async def worker(self, worker: WorkerId) -> Worker | None:
        rows = self._rows_now("worker", worker=worker)
        return _worker(rows[0]) if rows else None

    async def present(self) -> list[tuple[WorkerId, str, float]]:
        return [(WorkerId(row[0]), row[1], row[2]) for row in await self._rows("present")]

    async def request_drain(self, worker: WorkerId) -> None:
        await self._write(lambda c: c.execute(SQL["request_drain"], {"worker": worker}).fetchall())

    async def acknowledgements(self, attempts: Sequence[AttemptId]) -> list[Acknowledgement]:
        def read(connection: apsw.Connection) -> list[Acknowledgement]:
            found = (every(connection, SQL["acknowledgement"], {"attempt": attempt}) for attempt in attempts)
            return [Acknowledgement(*row) for rows in found for row in rows]

        return await self._read(read)

    def _rows_now(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401  (bound by SQLite)
        return self._look(lambda connection: connection.execute(SQL[statement], values).fetchall())

    async def _rows(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401  (bound by SQLite)
        return await self._read(lambda connection: connection.execute(SQL[statement], values).fetchall())


def _status(connection: apsw.Connection, worker: WorkerId, incarnation: Incarnation, status: Status, at: str) -> None:
    before = set(msgspec.json.decode(connection.execute(SQL["attempts"], {"worker": worker}).get))
    now = set(status.attempts)
    if status.status in AT_WORK:
        for attempt in now - before:
            connection.execute(SQL["acknowledge"], {"attempt": attempt, "worker": worker, "at": at})
    for attempt in before - now:
        connection.execute(SQL["ready"], {"attempt": attempt, "worker": worker, "at": at})
    row = {"worker": worker, "status": status.status, "free_slots": status.free_slots, "at": at}
    row |= {"attempts": _json(status.attempts), "incarnation": incarnation}
    connection.execute(SQL["status"], row)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _worker(row: tuple[Any, ...]) -> Worker:
    (
        worker,
        name,
        environment,
        labels,
        executors,
        slots,
        free_slots,
        status,
        attempts,
        version,
        enrolled,
        seen,
        drain,
        resources,
    ) = row
    return Worker(
        worker, name, environment, msgspec.json.decode(labels), msgspec.json.decode(executors), slots, free_slots,
        WorkerStatus(status), msgspec.json.decode(attempts), version, enrolled, seen, draining=bool(drain),
        resources=msgspec.json.decode(resources),
    )  # fmt: skip
