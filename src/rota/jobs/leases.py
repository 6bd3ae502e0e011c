"""Leases, by the clock of the one Job service that has the database open (`contact.py`).

Only their end is recorded; so a heartbeat costs no write and no step of a wall clock ends a lease. After a restart
each held attempt has one full lease again: nobody could renew it meanwhile.
"""

import asyncio
import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager

from rota.protocol.ids import AttemptId, JobId, WorkerId
from rota.protocol.problems import Internal
from rota.protocol.states import AttemptState
from rota.storage.stores.jobs import Held, Outcome

STUCK_AGAIN_S = 60.0
"""How long an attempt whose row cannot be moved waits for the next try."""

log = logging.getLogger(__name__)

BOOK_EVERY_S = 60.0
"""How much of the time that an attempt was detached a restart of the server may forget, at most."""


class Lease:
    """Who holds an attempt, and until when (seconds of that clock). A detached one: the end of its detach timeout."""

    __slots__ = (
        "appending", "booked_s", "cancel", "decided", "detached_at_s", "environment", "is_prolonged", "is_restored",
        "job_id", "keep_s", "lease_s", "running", "until_s", "worker_id",
    )  # fmt: skip

    def __init__(self, held: Held, now_s: float, lease_s: float) -> None:
        self.worker_id: WorkerId = held.worker_id
        self.job_id: JobId = held.job_id
        self.environment = held.environment
        self.running = held.state is not AttemptState.ASSIGNED
        self.cancel = held.cancel_requested
        self.keep_s = held.keep_s
        self.renew(now_s, lease_s)
        self.is_restored = False  # held before the server's start
        self.detached_at_s: float | None = None
        self.booked_s = 0.0
        self.decided: asyncio.Event | None = None  # set when a move of it that is on its way is recorded, or failed
        self.appending = asyncio.Lock()  # one piece after the other

    def renew(self, now_s: float, lease_s: float) -> None:
        """A whole lease from now on."""
        self.lease_s, self.until_s, self.is_prolonged = lease_s, now_s + lease_s, False

    def prolong(self, now_s: float) -> None:
        """A whole lease from now on, though its worker was not heard of; once, until it is."""
        if not self.is_prolonged:
            self.until_s, self.is_prolonged = max(self.until_s, now_s + self.lease_s), True

    def is_over(self, now_s: float) -> bool:
        """Whether its time is, and nothing is being done about it."""
        return self.until_s <= now_s and self.decided is None

    def is_kept(self, now_s: float) -> bool:
        """Whether its worker may still have it when its lease is over."""
        return self.detached_at_s is None and now_s < self.until_s + self.keep_s

    def detach(self, now_s: float, passed_s: float = 0.0) -> None:
        """Nobody else gets the job until `keep_s` are over, of which `passed_s` are."""
        self.running, self.booked_s = True, passed_s
        self.detached_at_s = now_s - passed_s
        self.until_s = now_s + max(0.0, self.keep_s - passed_s)


class Leases:
    """All held attempts."""

    def __init__(self) -> None:
        self._held: dict[AttemptId, Lease] = {}
        self._detached: set[AttemptId] = set()
        self._stuck: set[AttemptId] = set()

    def grant(self, held: Held, now_s: float, lease_s: float) -> None:
        """A worker holds it from now on, or is given it once more."""
        lease = Lease(held, now_s, lease_s)
        before = self._held.get(held.attempt_id)
        if before is not None:  # the same request asked again
            lease.cancel, lease.appending, lease.decided = before.cancel, before.appending, before.decided
        self._held[held.attempt_id] = lease
        self._detached.discard(held.attempt_id)

    def restore(self, held: Held, now_s: float, lease_s: float) -> None:
        """A worker held it before the server's start."""
        self.grant(held, now_s, lease_s)
        self._held[held.attempt_id].is_restored = True
        if held.state is AttemptState.DETACHED:
            self.detach([held.attempt_id], now_s, held.detached_s or 0.0)

    def end(self, attempts: Iterable[AttemptId]) -> set[WorkerId]:
        """Nobody holds them any more. Returns who did."""
        self._detached.difference_update(attempts := set(attempts))
        ended = (self._held.pop(attempt, None) for attempt in attempts)
        return {lease.worker_id for lease in ended if lease is not None}

    def of(self, worker: WorkerId, attempt: AttemptId) -> Lease | None:
        """The lease, if it is this worker's."""
        lease = self._held.get(attempt)
        return lease if lease is not None and lease.worker_id == worker else None

    async def settled(self, worker: WorkerId, attempt: AttemptId) -> Lease | None:
        """The same, once no move of it is on its way: what is being ended must not be renewed."""
        while (lease := self.of(worker, attempt)) is not None and lease.decided is not None:
            await lease.decided.wait()
        return lease

    def is_deciding(self, attempt: AttemptId) -> bool:
        """Whether a move of it is on its way."""
        return attempt in self._held and self._held[attempt].decided is not None

    @contextmanager
    def deciding(self, attempts: Sequence[AttemptId]) -> Iterator[None]:
        """While a move of these is on its way to the disk: nobody renews them, and nobody else moves them."""
        decided = asyncio.Event()
        for attempt in attempts:
            if attempt in self._held:
                self._held[attempt].decided = decided
        try:
            yield
        finally:
            for attempt in attempts:
                lease = self._held.get(attempt)
                if lease is not None and lease.decided is decided:
                    lease.decided = None
            decided.set()

    def silent(self, attempts: Iterable[AttemptId]) -> dict[AttemptId, WorkerId]:
        """Of these, those of which neither a heartbeat nor a log byte has come, and who holds each."""
        held = {attempt: self._held[attempt] for attempt in attempts if attempt in self._held}
        return {attempt: lease.worker_id for attempt, lease in held.items() if not lease.running}

    def doubtful(self, attempts: Iterable[AttemptId]) -> dict[AttemptId, WorkerId]:
        """Of these, the silent ones that are kept and of which a crash may have taken the registry's record."""
        silent = self.silent(attempts)
        return {a: worker for a, worker in silent.items() if self._held[a].is_restored and self._held[a].keep_s}

    def cancel(self, jobs: Collection[JobId]) -> None:
        """Tell their workers with the next heartbeat."""
        for lease in self._held.values():
            if lease.job_id in jobs:
                lease.cancel = True

    def overdue(self, now_s: float) -> list[AttemptId]:
        """Those whose time is over at `now_s`, and that are lost with it."""
        return [attempt for attempt, lease in self._held.items() if lease.is_over(now_s) and not lease.is_kept(now_s)]

    def to_detach(self, now_s: float) -> list[AttemptId]:
        """Those whose leases are over at `now_s`, and that are kept."""
        return [attempt for attempt, lease in self._held.items() if lease.is_over(now_s) and lease.is_kept(now_s)]

    def detach(self, attempts: Iterable[AttemptId], now_s: float, passed_s: float = 0.0) -> None:
        """Their leases are over, and their workers have them still."""
        for attempt in attempts:
            if attempt in self._held:
                self._held[attempt].detach(now_s, passed_s)
                self._detached.add(attempt)

    def come_back(self, attempt: AttemptId, now_s: float, lease_s: float) -> None:
        """Its worker is heard of again."""
        lease = self._held.get(attempt)
        if lease is not None:
            lease.detached_at_s = None
            lease.renew(now_s, lease_s)
        self._detached.discard(attempt)

    def prolong(self, now_s: float) -> None:
        """Nobody could be renewed, and now can: whoever holds something has a whole lease to be heard of."""
        for lease in self._held.values():
            lease.prolong(now_s)

    def to_book(self, now_s: float) -> dict[AttemptId, float]:
        """For how long these have been detached, where that should be noted again."""
        due: dict[AttemptId, float] = {}
        for attempt in self._detached:
            lease = self._held[attempt]
            passed_s = 0.0 if lease.detached_at_s is None else now_s - lease.detached_at_s
            if passed_s - lease.booked_s >= min(BOOK_EVERY_S, lease.keep_s / 10):
                due[attempt] = lease.booked_s = passed_s
        return due

    def put_off(self, attempts: Sequence[AttemptId], outcomes: Sequence[Outcome], now_s: float) -> set[AttemptId]:
        """Those that are over and whose rows could not be moved: tried again later, so that they stand in nobody's way.

        Source: guarantees.md, F47.
        """
        told = zip(attempts, outcomes, strict=True)
        stuck = {attempt for attempt, outcome in told if isinstance(outcome.problem, Internal)}
        for attempt in stuck & self._held.keys():
            self._held[attempt].until_s = now_s + STUCK_AGAIN_S
            self._stuck.add(attempt)
        if stuck:
            log.error("%d attempts cannot be ended, such as %s; `rota doctor` says more", len(stuck), min(stuck))
        return stuck

    @property
    def stuck(self) -> list[AttemptId]:
        """Those that were put off."""
        self._stuck.intersection_update(self._held)
        return sorted(self._stuck)

    def __contains__(self, attempt: AttemptId) -> bool:
        return attempt in self._held
