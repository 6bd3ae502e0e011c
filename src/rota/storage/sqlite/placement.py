"""Which of the queued jobs a worker has room for, and for which of them it keeps itself free.

A job whose resources are not there now is passed over, and smaller ones go before it: so nothing stands idle. Once that
has gone on for `RESERVE_AFTER_S`, a worker that could hold it alone takes nothing any more that stands behind it.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import chain, islice

import apsw
import msgspec

from rota.protocol.ids import JobId, WorkerId
from rota.protocol.placement import Asked, QueueKey
from rota.protocol.resources import Resources, has_room, left
from rota.protocol.turns import Queued
from rota.storage.sqlite.candidates import candidates
from rota.storage.sqlite.rows import every, first, only
from rota.storage.statements import load
from rota.storage.stores.claims import Claim, Reservation

SQL = load(__package__, "placement.sql")
JOBS = load(__package__, "jobs.sql")

_asked = msgspec.json.Decoder(Asked)


class Choice:
    """The jobs that a worker is given, in order; `is_short`: it had slots for more, and no room for them."""

    def __init__(self, connection: apsw.Connection, claim: Claim) -> None:
        self.jobs: list[Queued] = []
        self.is_short = False
        self._connection, self._claim = connection, claim
        self._closed: set[int] = set()  # queues of which no further job fits either: their jobs ask the same
        self._passed: list[JobId] = []
        self._mine: tuple[JobId, int] | None = None  # that this worker keeps itself free for, and its queue
        self._reserved: JobId | None = None

    def make(self) -> None:
        """Choose, and note for whom there was no room."""
        claim, slots = self._claim, len(self._claim.attempt_ids)
        line = candidates(self._connection, claim.keys, claim.at, self._closed, claim.preferred)
        if not claim.asks:
            self.jobs += islice(line, slots)
            return
        free: Resources | None = None
        for job in line:
            asked = claim.asks.get(job.key)
            if asked is not None:
                if job.key in self._closed:
                    continue
                free = self._look() if free is None else free
                if not has_room(free, asked):
                    self.is_short = True
                    self._closed.add(job.key)
                    if self._keeps_free_for(job):
                        break
                    continue
                free = left(free, [asked])
            self.jobs.append(job)
            if len(self.jobs) == slots:
                self.is_short = False
                break
        self._note()

    def _look(self) -> Resources:
        """What the worker offers without what it holds."""
        whose = {"worker": self._claim.worker_id}
        self._mine = first(self._connection, SQL["mine"], whose)
        held = Counter(demand for (demand,) in every(self._connection, SQL["taken"], whose))
        taken = ([_asked.decode(demand).resources] * count for demand, count in held.items())
        return left(self._claim.offered, chain.from_iterable(taken))

    def _keeps_free_for(self, job: Queued) -> bool:
        """Whether this worker takes nothing that stands behind the job."""
        if self._mine is not None and self._mine[1] == job.key:  # for this one, or for one of the same queue behind it
            return True
        kept_by, passed_over_at = only(self._connection, SQL["kept_for"], {"job": job.job_id})
        if kept_by is None and passed_over_at is None:
            self._passed.append(job.job_id)
        elif kept_by is None and passed_over_at <= self._claim.reserve_before:
            self._reserved = job.job_id
        return self._reserved is not None

    def _note(self) -> None:
        for job in self._passed:
            self._connection.execute(SQL["pass_over"], {"job": job, "at": self._claim.at})
        if self._reserved is not None:
            self._connection.execute(SQL["give_up_reservation"], {"worker": self._claim.worker_id})
            self._connection.execute(SQL["reserve"], {"job": self._reserved, "worker": self._claim.worker_id})


def queue_key(connection: apsw.Connection, key: QueueKey) -> int:
    """The key's id, made where it is new."""
    row = {"environment": key.environment, "executor": key.executor, "demand": key.asked().text()}
    connection.execute(JOBS["insert_queue_key"], row)
    return int(only(connection, JOBS["queue_key_id"], row)[0])


def read_key(environment: str, executor: str, demand: str) -> QueueKey:
    """The demand that a row stands for."""
    asked = _asked.decode(demand)
    return QueueKey(environment, executor, asked.requires, asked.prefers, asked.resources)


def reserved(connection: apsw.Connection) -> list[Reservation]:
    """Who keeps itself free, and for which job."""
    return [Reservation(worker, job, bool(waits)) for job, worker, waits in every(connection, SQL["reserved"], {})]


def give_up(connection: apsw.Connection, workers: Iterable[WorkerId]) -> None:
    """They keep themselves free no longer."""
    for worker in workers:
        connection.execute(SQL["give_up_reservation"], {"worker": worker})
