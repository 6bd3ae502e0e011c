"""The queued jobs that a worker may be given, in their order, as a stream: a claim takes what it needs and no more."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from heapq import merge

import apsw
import msgspec

from rota.protocol.turns import Queued, in_turn
from rota.protocol.wire import parse_timestamp
from rota.storage.sqlite.rows import every
from rota.storage.statements import load

SQL = load(__package__, "turns.sql")


def candidates(
    connection: apsw.Connection,
    keys: Sequence[int],
    at: str,
    closed: AbstractSet[int] = frozenset(),
    preferred: Mapping[int, int] | None = None,
) -> Iterator[Queued]:
    """All queued jobs of these queues, who is first at the time `at` first.

    Who reads may put a queue into `closed`: nothing of it is read any more, though what was read may still come.
    Of equal ranks those come first of which the worker satisfies more preferences: `preferred` says how many, by queue.

    Finding the first costs some index steps for each queue and each priority that is present in it; each further one
    costs a step. Do not move jobs while it is open: take what is wanted, then move it.
    """
    classes: dict[int, list[Iterator[Queued]]] = defaultdict(list)
    for row in every(connection, SQL["heads"], {"keys": msgspec.json.encode(keys).decode()}):
        head = Queued(*row)
        classes[head.priority].append(_stream(connection, head, closed))

    def place(job: Queued) -> tuple[float, int, str]:
        return job.rank, -preferred.get(job.key, 0) if preferred else 0, job.job_id

    order = place if preferred else None
    lines = {p: merge(*streams, key=order) if streams[1:] else streams[0] for p, streams in classes.items()}
    return in_turn(lines, parse_timestamp(at))


def _stream(connection: apsw.Connection, head: Queued, closed: AbstractSet[int]) -> Iterator[Queued]:
    """One queue's jobs of one priority; what is behind the first is read when somebody asks for it."""
    yield head
    if head.key in closed:
        return
    after = {"key": head.key, "priority": head.priority, "rank": head.rank, "job": head.job_id}
    for row in connection.execute(SQL["behind"], after):
        yield Queued(*row)
        if head.key in closed:
            return
