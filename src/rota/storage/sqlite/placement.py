"""Which of the queued jobs a worker has room for, and for which of them it keeps itself free.

A job whose resources are not there now is passed over, and smaller ones go before it: so nothing stands idle. Once that
has gone on for `RESERVE_AFTER_S`, a worker that could hold it alone takes nothing any more that stands behind it.
"""

import functools
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import islice

import apsw
import msgspec

from rota.protocol.ids import JobId, WorkerId
from rota.protocol.placement import Asked, QueueKey
from rota.protocol.resources import Room
from rota.protocol.turns import Queued
from rota.protocol.wire import parse_timestamp, timestamp
from rota.storage.sqlite.candidates import candidates
from rota.storage.sqlite.rows import every, first, only
from rota.storage.statements import load
from rota.storage.stores.claims import Claim, Reservation

SQL = load(__package__, "placement.sql")
JOBS = load(__package__, "jobs.sql")

LOOKED_AT_MAX = 50
"""How far ahead of a turn its submitter's jobs are looked at for one that prefers the worker."""
QUEUED_WITH_S = 5.0
"""Jobs of one submitter that were queued so close to each other may change places."""
_asked = msgspec.json.Decoder(Asked)


class Choice:
    """The jobs that a worker is given, in order; `is_short`: it had slots for more, and no room for them."""

    def __init__(self, connection: apsw.Connection, claim: Claim) -> None:
        self.jobs: list[Queued] = []
        self.is_short = False
        self._connection, self._claim = connection, claim
        self._closed: set[int] = set()  # queues of which no further job fits either: their jobs ask the same
        self._passed: list[JobId] = []
        self._moved: dict[JobId, float] = {}  # whose turn another one of its submitter took: its rank is that one's
        self._reserved: JobId | None = None

    def make(self) -> None:
        """Choose, and note for whom there was no room."""
        claim, slots = self._claim, len(self._claim.attempt_ids)
        line = candidates(self._connection, claim.keys, claim.at, self._closed, claim.preferred)
        if claim.preferred:
            line = self._rather(line)
        if not claim.asks:
            self.jobs += islice(line, slots)
        else:
            self._take(line, slots)
        for moved, rank in self._moved.items():
            self._connection.execute(SQL["move"], {"job": moved, "rank": rank})
        for passed in self._passed:
            self._connection.execute(SQL["pass_over"], {"job": passed, "at": claim.at})
        if self._reserved is not None:
            self._connection.execute(SQL["give_up_reservation"], {"worker": claim.worker_id})
            self._connection.execute(SQL["reserve"], {"job": self._reserved, "worker": claim.worker_id})

    def _take(self, line: Iterator[Queued], slots: int) -> None:
        """Those for which there is room, as long as nobody waits for whom it is to be kept free."""
        for job in line:
            if job.key in self._closed:
                continue
            if not self._has_room(job.key):
                self.is_short = True
                self._closed.add(job.key)
                if self._keeps_free_for(job):
                    return
                continue
            asked = self._claim.asks.get(job.key)
            if asked is not None:
                self._room.take(asked)
            self.jobs.append(job)
            if len(self.jobs) == slots:
                self.is_short = False
                return

    def _has_room(self, key: int) -> bool:
        asked = self._claim.asks.get(key)
        return asked is None or self._room.holds(asked)

    @functools.cached_property
    def _room(self) -> Room:
        """What the worker offers without what it holds; looked up when somebody asks for some of it."""
        room = Room(self._claim.offered)
        held = Counter(demand for (demand,) in every(self._connection, SQL["taken"], self._whose))
        for demand, count in held.items():
            room.take(_asked.decode(demand).resources, count)
        return room

    @functools.cached_property
    def _kept_key(self) -> int | None:
        """The queue of the job that this worker keeps itself free for."""
        mine = first(self._connection, SQL["mine"], self._whose)
        return None if mine is None else mine[0]

    @property
    def _whose(self) -> dict[str, WorkerId]:
        return {"worker": self._claim.worker_id}

    def _keeps_free_for(self, job: Queued) -> bool:
        """Whether this worker takes nothing that stands behind the job."""
        if self._kept_key == job.key:  # it is that one, or one of the same demand that stands before it
            return True
        kept_by, passed_over_at = only(self._connection, SQL["kept_for"], {"job": job.job_id})
        if kept_by is None and passed_over_at is None:
            self._passed.append(job.job_id)
        elif kept_by is None and passed_over_at <= self._claim.reserve_before:
            self._reserved = job.job_id
        return self._reserved is not None

    def _rather(self, line: Iterator[Queued]) -> Iterator[Queued]:
        """The same, where a job that prefers this worker more changes places with its submitter's whose turn it is.

        Only with one that was queued at the same time: so none is overtaken for ever; and of other submitters none
        waits longer for it.
        """
        ahead: deque[Queued] = deque()
        while True:
            ahead.extend(islice(line, LOOKED_AT_MAX - len(ahead)))
            if not ahead:
                return
            turn = ahead[0]
            job = self._preferred(turn, ahead)
            if job is not turn:
                ahead[ahead.index(job)] = turn._replace(rank=job.rank)
                self._moved[turn.job_id] = job.rank
                self._moved.pop(job.job_id, None)
            ahead.popleft()
            yield job._replace(rank=turn.rank)

    def _preferred(self, turn: Queued, ahead: Iterable[Queued]) -> Queued:
        """The job that has the turn of `turn`."""
        degree = self._claim.preferred.get
        better = [
            job
            for job in ahead
            if degree(job.key, 0) > degree(turn.key, 0) and job.priority == turn.priority and self._has_room(job.key)
        ]
        if not better:
            return turn
        until = timestamp(parse_timestamp(turn.queued_at) + timedelta(seconds=QUEUED_WITH_S))
        whose = self._submitter(turn)
        better.sort(key=lambda job: -degree(job.key, 0))
        same = (job for job in better if job.queued_at <= until and self._submitter(job) == whose)
        return next(same, turn)

    def _submitter(self, job: Queued) -> tuple[str, str]:
        submitted_by, tenant = only(self._connection, SQL["submitter"], {"job": job.job_id})
        return submitted_by, tenant


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
