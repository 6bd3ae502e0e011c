"""The event log on SQLite, read; `event_log` is how moves write it."""

from bisect import bisect_right
from typing import Any

import apsw
import msgspec

from rota.protocol.event import CloudEvent, EventAttempt, EventType, JobFacts, event_id, read_event_id
from rota.protocol.ids import AttemptId, JobId, WorkerId
from rota.protocol.job_finished import Result
from rota.protocol.problems import Gone
from rota.protocol.states import JobState, Verdict
from rota.protocol.wire import encode
from rota.storage.sqlite.database import Database
from rota.storage.sqlite.event_log import SQL
from rota.storage.sqlite.rows import every, only
from rota.storage.stores.events import Logged, Page, Wanted

SPAN = 20_000
"""Most events that one read looks at, so that a filter that few meet holds nobody up."""
PAGE_SIZE_BYTES_MAX = 1024 * 1024
_LAST = 2**62

Logs = list[tuple[int, str]]
"""From which number on, and the id of the log that began there."""

_result = msgspec.json.Decoder(Result)
_tags = msgspec.json.Decoder(dict[str, str])


class SqliteEvents:
    """See the port, `rota.storage.stores.events.EventStore`."""

    def __init__(self, database: Database) -> None:
        self._write, self._look, self._read = database.writer.run, database.reader.look, database.reader.run
        self._logs: Logs = []

    async def newest(self) -> int:
        return int(self._look(lambda connection: only(connection, SQL["newest"], {}))[0])

    async def oldest(self) -> int:
        return int(self._look(lambda connection: only(connection, SQL["oldest"], {}))[0])

    def id_of(self, seq: int) -> str:
        return _name(self._known_logs(), seq)

    async def seq_of(self, event_id: str, field: str) -> int:
        _, seq = read_event_id(event_id, field)
        if seq > await self.newest() or self.id_of(seq) != event_id:
            why = "It is not an event of this log, which was restored from a backup."
            raise _gone(self.id_of(await self.oldest()), why)
        return seq

    async def page(self, after: int, wanted: Wanted, limit: int) -> Page:
        logs = self._known_logs()

        def read(connection: apsw.Connection) -> Page:
            oldest, newest = only(connection, SQL["oldest"], {})[0], only(connection, SQL["newest"], {})[0]
            if after < oldest - 1:
                raise _gone(_name(logs, oldest), "What came right behind it is no longer kept.")
            upto = min(after + SPAN, newest)
            where = {"after": after, "upto": upto, "limit": limit}
            events = _fitting(_events(connection, SQL["page"], logs, wanted, where))
            return Page(events, events[-1].seq if len(events) == limit or _is_full(events) else upto, newest)

        return await self._read(read)

    async def last(self, wanted: Wanted, count: int) -> list[Logged]:
        statement = SQL["page"].replace("ORDER BY e.seq", "ORDER BY e.seq DESC")
        logs, where = self._known_logs(), {"after": 0, "upto": _LAST, "limit": count}
        found = await self._read(lambda connection: _events(connection, statement, logs, wanted, where))
        return found[::-1]

    async def prune(self, count_max: int, before: str, limit: int) -> int:
        row = {"count_max": count_max, "before": before, "limit": limit}
        return len(await self._write(lambda connection: every(connection, SQL["prune"], row)))

    async def begin_log(self) -> None:
        """What happens from here on is counted as another log: this database is a copy of an earlier moment."""
        await self._write(lambda connection: connection.execute(SQL["begin_log"]).fetchall())
        self._logs = []

    def _known_logs(self) -> Logs:
        if not self._logs:
            rows = self._look(lambda connection: every(connection, SQL["logs"], {}))
            self._logs = [(row[0], row[1]) for row in rows]
        return self._logs


def _name(logs: Logs, seq: int) -> str:
    """The id of the event with that number, which is the log's that had begun then."""
    return event_id(logs[max(bisect_right(logs, seq, key=lambda log: log[0]) - 1, 0)][1], seq)


def _gone(oldest: str, why: str) -> Gone:
    return Gone(f"{why} The oldest event that is kept is {oldest}: begin there with `after=oldest`.", oldest)


def _events(
    connection: apsw.Connection, statement: str, logs: Logs, wanted: Wanted, where: dict[str, int]
) -> list[Logged]:
    types = None if wanted.types is None else encode(sorted(wanted.types)).decode()
    values = {**where, "types": types, "environment": wanted.environment, "job": wanted.job_id}
    return [_logged(row, logs) for row in every(connection, statement, values)]


def _logged(row: tuple[Any, ...], logs: Logs) -> Logged:
    seq, at, kind, environment, subject, *about_job = row
    name, source = _name(logs, seq), f"/api/v1/environments/{environment}"
    whole = CloudEvent(name, source, kind, subject, at, _data(environment, subject, *about_job))
    return Logged(seq, EventType(kind), environment, subject, name, encode(whole))


def _data(
    environment: str,
    subject: str,
    state: str | None,
    attempt: str | None,
    verdict: str | None,
    message: str | None,
    data: str | None,
    number: int | None,
    worker: str | None,
    result: str | None,
    name: str | None,
    tags: str | None,
    submitted_at: str | None,
    submitted_by: str | None,
) -> object:
    """What the event tells: the facts that were recorded with it, and those of its job that never change."""
    if state is None:
        return msgspec.Raw((data or "null").encode())
    tried = None
    if attempt is not None and number is not None and worker is not None:
        tried = EventAttempt(AttemptId(attempt), number, WorkerId(worker))
    return JobFacts(
        JobId(subject), JobState(state), environment, name, {} if tags is None else _tags.decode(tags), submitted_at,
        submitted_by, tried, None if result is None else _result.decode(result),
        None if verdict is None else Verdict(verdict), message,
    )  # fmt: skip


def _fitting(events: list[Logged]) -> list[Logged]:
    """The first of them, up to a size; at least one."""
    size_bytes = 0
    for count, event in enumerate(events, start=1):
        size_bytes += len(event.body)
        if size_bytes >= PAGE_SIZE_BYTES_MAX:
            return events[:count]
    return events


def _is_full(events: list[Logged]) -> bool:
    return sum(len(event.body) for event in events) >= PAGE_SIZE_BYTES_MAX
