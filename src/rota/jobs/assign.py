"""getJobForWorker: which queued jobs a worker is given, and the leases that it has on them."""

import asyncio
from datetime import timedelta

from rota.jobs.contact import Contact
from rota.jobs.follow import Changes
from rota.jobs.leases import Leases
from rota.jobs.queue import Queues, Served
from rota.jobs.reservations import Reservations
from rota.protocol.get_job import GetJobForWorker, Given, Offer
from rota.protocol.ids import AttemptId
from rota.protocol.states import AttemptState
from rota.protocol.wire import timestamp
from rota.storage.stores.claims import Claim, Claimed
from rota.storage.stores.jobs import Held, JobStore
from rota.world import World


class Assign:
    """`reserve_after_s`: when a worker keeps itself free for a job that was passed over."""

    def __init__(
        self,
        store: JobStore,
        leases: Leases,
        queues: Queues,
        reservations: Reservations,
        changes: Changes,
        contact: Contact,
        world: World,
        reserve_after_s: float,
    ) -> None:
        self._store, self._leases, self._queues, self._reservations = store, leases, queues, reservations
        self._changes, self._contact, self._world, self._reserve_after_s = changes, contact, world, reserve_after_s
        self._claiming: set[asyncio.Future[Claimed]] = set()

    async def give(self, ask: GetJobForWorker, lease_s: float) -> Given:
        """See `rota.protocol.participants.Job.get_job_for_worker`."""
        served = self._queues.served_by(ask.worker)
        if not served.keys:
            return Given([])
        # Who asked may hang up meanwhile. What is claimed then is leased all the same, and the lease has its end.
        claiming = asyncio.ensure_future(self._lease(self._claim(ask, served), lease_s))
        self._claiming.add(claiming)
        claiming.add_done_callback(self._claiming.discard)
        claimed = await asyncio.shield(claiming)
        offers = [Offer(o.attempt_id, o.job_id, o.number, lease_s, o.spec, o.inputs) for o in claimed.leased]
        return Given(offers, claimed.is_short)

    def _claim(self, ask: GetJobForWorker, served: Served) -> Claim:
        now, worker = self._world.now(), ask.worker
        attempts = [AttemptId(self._world.new_id()) for _ in range(ask.slots)]
        stays = bool(served.asks) and self._reservations.may_reserve(worker.worker_id)
        return Claim(
            worker.worker_id, ask.incarnation, ask.request_id, served.keys, attempts, timestamp(ask.asked_at),
            timestamp(now), served.asks, worker.resources, served.preferred,
            timestamp(now - timedelta(seconds=self._reserve_after_s)) if stays else "",
        )  # fmt: skip

    async def _lease(self, claim: Claim, lease_s: float) -> Claimed:
        claimed = await self._store.claim(claim)
        self._reservations.claimed(claim.worker_id, is_short=claimed.is_short)
        leased = [one for one in claimed.leased if not self._leases.is_deciding(one.attempt_id)]  # again, too late
        now_s = self._contact.now_s()
        for one in leased:
            held = Held(
                one.attempt_id, one.job_id, claim.worker_id, one.environment, AttemptState.ASSIGNED,
                keep_s=one.spec.keep_s,
            )  # fmt: skip
            self._leases.grant(held, now_s, lease_s)
            self._changes.tell(one.job_id)
        return Claimed(leased, claimed.is_short)
