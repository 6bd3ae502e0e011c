"""What becomes of a lease that is over: the attempt is lost, or detached where its spec says `lease_policy: keep`.

Source: guarantees.md, G2, G8, "Expiry is a recorded decision"; protocol.md, "States of an attempt".
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence

from rota.jobs.contact import Contact
from rota.jobs.leases import Lease, Leases
from rota.protocol.ids import AttemptId, WorkerId
from rota.protocol.participants import Fleet
from rota.protocol.problems import Problem
from rota.protocol.wire import timestamp
from rota.storage.stores.jobs import JobStore, Outcome
from rota.world import World

SWEPT_MAX = 1000
"""Most that one round ends, so that others get their turn at the writer."""
RAN_OUT = "its lease ran out"

Note = Callable[[Iterable[AttemptId], Iterable[Outcome]], None]


class Overdue:
    """Ends leases, and renews them: never both at once, so that no worker is told of a lease that is gone."""

    def __init__(
        self, store: JobStore, leases: Leases, contact: Contact, world: World, note: Note,
        fleet: Callable[[], Fleet | None],
    ) -> None:  # fmt: skip
        self._store, self._leases, self._contact, self._world = store, leases, contact, world
        self._note, self._fleet = note, fleet

    async def sweep(self) -> None:
        """End what ran out, once."""
        now_s = self._contact.now_s()
        await self.lose(self._leases.overdue(now_s)[:SWEPT_MAX], RAN_OUT)
        await self.detach(self._leases.to_detach(now_s)[:SWEPT_MAX])
        booked_s = self._leases.to_book(self._contact.now_s())
        if booked_s:
            await self._store.book(booked_s)

    async def renew(
        self, worker: WorkerId, attempt: AttemptId, now_s: float, lease_s_of: Callable[[str], Awaitable[float]]
    ) -> tuple[Lease, float] | None:
        """A whole lease from `now_s` on, unless its end is being recorded, or is; None: it is not this worker's."""
        while (lease := await self._leases.settled(worker, attempt)) is not None:
            lease_s = await lease_s_of(lease.environment)
            if lease.decided is not None or self._leases.of(worker, attempt) is not lease:
                continue  # meanwhile
            if lease.detached_at_s is None:
                lease.renew(now_s, lease_s)
                return lease, lease_s
            with self._leases.deciding([attempt]):
                back = await self._store.come_back(worker, [attempt], self._at())
                self._leases.come_back(attempt, now_s, lease_s)
                self._note([attempt] if back[0].problem is not None else [], back)
        return None

    async def lose(self, attempts: Sequence[AttemptId], why: str) -> None:
        """End these leases. The statement is guarded: a finish that came first wins."""
        if not attempts:
            return
        with self._leases.deciding(attempts):
            await self._start_acknowledged(attempts)
            await self._lose(attempts, why)

    async def detach(self, attempts: Sequence[AttemptId]) -> None:
        """Their workers go on with them. What no worker was permitted to start is lost all the same."""
        if not attempts:
            return
        with self._leases.deciding(attempts):
            # Where the registry cannot be asked, it may have permitted it: asked again with the next round.
            doubtful = await self._start_acknowledged(attempts)
            sure = [attempt for attempt in attempts if attempt not in doubtful]
            outcomes = await self._store.detach(sure, self._at())
            stuck = self._leases.put_off(sure, outcomes, self._contact.now_s())
            problems = {one: outcome.problem for one, outcome in zip(sure, outcomes, strict=True)}
            self._leases.detach([one for one in sure if problems[one] is None], self._contact.now_s())
            self._note([], outcomes)
            gone = [one for one in sure if problems[one] is not None and one not in stuck]
            if gone:
                await self._lose(gone, RAN_OUT)

    async def _lose(self, attempts: Sequence[AttemptId], why: str) -> None:
        outcomes = await self._store.lose(attempts, self._at(), why)
        stuck = self._leases.put_off(attempts, outcomes, self._contact.now_s())
        self._note(set(attempts) - stuck, outcomes)

    async def _start_acknowledged(self, attempts: Sequence[AttemptId]) -> set[AttemptId]:
        """What a worker was permitted to execute may have run, though it never showed: its try counts. G4.

        Returns those of which the registry could not be asked.
        """
        silent, fleet = self._leases.silent(attempts), self._fleet()
        if not silent or fleet is None:
            return set()
        try:
            seen = await fleet.acknowledgements(list(silent))
        except Problem:
            return set(silent)  # without its word nothing was started, as far as is known
        permitted = {one.attempt_id: one.worker_id for one in seen if silent.get(one.attempt_id) == one.worker_id}
        for attempt, worker in (permitted | self._leases.doubtful(attempts)).items():
            await self._store.start(worker, [attempt])
        return set()

    def _at(self) -> str:
        return timestamp(self._world.now())
