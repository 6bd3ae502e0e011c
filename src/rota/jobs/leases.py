"""Leases, by the monotonic clock of the one Job service that has the database open.

Only their end is recorded; so a heartbeat costs no write and no step of a wall clock ends a lease. After a restart
each held attempt has one full lease again: nobody could renew it meanwhile.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence

from rota.protocol.ids import AttemptId, JobId, WorkerId
from rota.protocol.problems import Internal
from rota.protocol.states import AttemptState
from rota.storage.stores.jobs import Held, Outcome

STUCK_AGAIN_S = 60.0
"""How long an attempt whose row cannot be moved waits for the next try."""

log = logging.getLogger(__name__)


class Lease:
    """Who holds an attempt, and until when (monotonic seconds)."""

    __slots__ = ("appending", "cancel", "environment", "is_given_up", "job_id", "running", "until_s", "worker_id")

    def __init__(self, held: Held, until_s: float) -> None:
        self.worker_id: WorkerId = held.worker_id
        self.job_id: JobId = held.job_id
        self.environment = held.environment
        self.running = held.state is AttemptState.RUNNING
        self.cancel = held.cancel_requested
        self.until_s = until_s
        self.is_given_up = False  # its end is being recorded: no word of its worker renews it any more
        self.appending = asyncio.Lock()  # one piece after the other


class Leases:
    """All held attempts."""

    def __init__(self) -> None:
        self._held: dict[AttemptId, Lease] = {}
        self._stuck: set[AttemptId] = set()

    def grant(self, held: Held, until_s: float) -> None:
        """A worker holds it from now on, or is given it again: then what is known of it stays."""
        lease = self._held.setdefault(held.attempt_id, Lease(held, until_s))
        lease.until_s = until_s

    def give_up(self, attempts: Iterable[AttemptId]) -> None:
        """Their end is about to be recorded."""
        for attempt in attempts:
            if attempt in self._held:
                self._held[attempt].is_given_up, self._held[attempt].until_s = True, float("-inf")

    def is_given_up(self, attempt: AttemptId) -> bool:
        """Whether its end is being recorded."""
        return attempt in self._held and self._held[attempt].is_given_up

    def end(self, attempts: Iterable[AttemptId]) -> None:
        """Nobody holds them any more."""
        for attempt in attempts:
            self._held.pop(attempt, None)

    def of(self, worker: WorkerId, attempt: AttemptId) -> Lease | None:
        """The lease, if it is this worker's."""
        lease = self._held.get(attempt)
        return lease if lease is not None and lease.worker_id == worker else None

    def silent(self, attempts: Iterable[AttemptId]) -> dict[AttemptId, WorkerId]:
        """Of these, those of which neither a heartbeat nor a log byte has come, and who holds each."""
        held = {attempt: self._held[attempt] for attempt in attempts if attempt in self._held}
        return {attempt: lease.worker_id for attempt, lease in held.items() if not lease.running}

    def cancel(self, job: JobId) -> None:
        """Tell its worker with the next heartbeat."""
        for lease in self._held.values():
            if lease.job_id == job:
                lease.cancel = True

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

    def overdue(self, now_s: float) -> list[AttemptId]:
        """Those whose time is over at `now_s`."""
        return [attempt for attempt, lease in self._held.items() if lease.until_s <= now_s]
