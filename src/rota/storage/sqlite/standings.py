"""Where jobs stand, read from the Job service's tables. See the port, `rota.storage.stores.standings`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice, takewhile

import apsw
import msgspec

from rota.protocol.ids import JobId
from rota.protocol.states import JobState
from rota.protocol.wire import timestamp
from rota.storage.sqlite.candidates import candidates
from rota.storage.sqlite.database import Database
from rota.storage.sqlite.placement import read_key
from rota.storage.sqlite.rows import every, first, only
from rota.storage.statements import load
from rota.storage.stores.standings import LINE_MAX, Line, Neighbour, Standing

SQL, JOBS = load(__package__, "standings.sql"), load(__package__, "jobs.sql")

_NAMED_MAX = 3
"""Most neighbours that are told one by one."""


class SqliteStandings:
    """Reads; the long ones on a thread that only reads."""

    def __init__(self, database: Database) -> None:
        self._read = database.reader.run

    async def standing(self, job: JobId) -> Standing | None:
        return await self._read(lambda connection: _standing(connection, job))

    async def line(self, job: JobId, queues: Sequence[int], now: str) -> Line | None:
        return await self._read(lambda connection: _line(connection, job, queues, now))


def _standing(connection: apsw.Connection, job: JobId) -> Standing | None:
    row = first(connection, SQL["standing"], {"job": job})
    if row is None:
        return None
    (_, state, environment, queue, executor, demand, tries, was_offered, undecided, unmet, ready_at, seated, group,
     limit, parallel_max, parent, is_passed_over, reserved_by, parts_left, rate_count, rate_per_s) = row  # fmt: skip
    whose = {"environment": environment, "group": group}
    holders = [] if group is None else _neighbours(connection, "holders", whose)
    return Standing(
        job, JobState(state), environment, queue, read_key(environment, executor, demand),
        tries, bool(was_offered), bool(undecided), unmet, ready_at, bool(seated), group, limit, parallel_max,
        holders,
        only(connection, SQL["holder_count"], whose)[0] if holders else 0,
        0 if parallel_max is None else only(connection, SQL["parts_seated"], {"parent": parent})[0],
        bool(is_passed_over), reserved_by,
        _neighbours(connection, "needed", {"job": job}) if unmet else [], parts_left, rate_count, rate_per_s,
        _opens_at(connection, whose, rate_count, rate_per_s),
    )  # fmt: skip


def _neighbours(connection: apsw.Connection, statement: str, whose: dict[str, str | None]) -> list[Neighbour]:
    """The first few."""
    rows = every(connection, SQL[statement], whose | {"limit": _NAMED_MAX})
    return [Neighbour(job, name, JobState(state)) for job, name, state in rows]


def _opens_at(
    connection: apsw.Connection, whose: dict[str, str | None], count: int | None, per_s: float | None
) -> str | None:
    """When the group's rate lets the next one in; None where it has none, or is open."""
    if count is None or per_s is None:
        return None
    start = first(connection, SQL["starts"], whose | {"count": count})
    return None if start is None else timestamp(datetime.fromtimestamp(start[0] + per_s, UTC))


def _line(connection: apsw.Connection, job: JobId, queues: Sequence[int], now: str) -> Line | None:
    state = first(connection, JOBS["job_state"], {"job": job})
    if state is None or state[0] != JobState.QUEUED:
        return None
    ahead = takewhile(lambda other: other != job, (one.job_id for one in candidates(connection, queues, now)))
    before = list(islice(ahead, LINE_MAX - 1))
    others = only(connection, SQL["of_others"], {"job": job, "jobs": msgspec.json.encode(before).decode()})[0]
    return Line(len(before) + 1, others)
