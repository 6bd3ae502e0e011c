"""People: submit jobs, repeat what was not answered, change their minds, and want it once more."""

import random
from dataclasses import dataclass, field

from rota.jobs.desk import Desk
from rota.protocol.environment import Caller, CallerKind
from rota.protocol.ids import CredentialId, JobId
from rota.protocol.job import Job
from rota.protocol.problems import Conflict, Problem
from rota.protocol.spec import Spec
from rota.protocol.wire import encode
from simulation.neighbours import Far
from simulation.network import Network
from simulation.process import Process
from simulation.watch import Watch

CALLER = Caller(CallerKind.SUBMIT, CredentialId("people"), "default")


@dataclass(frozen=True)
class Wish:
    """A submission, when it is made, and what is wanted of its jobs later."""

    key: str
    at: float
    specs: list[Spec]
    cancel_at: list[float] = field(default_factory=list)
    retry_at: list[float] = field(default_factory=list)


class People(Far):
    """They never die, and they do not give up."""

    def __init__(self, process: Process, network: Network, watch: Watch, chance: random.Random) -> None:
        super().__init__(process, network, "desk")
        self.waiting = 0
        """Wishes that are not fulfilled yet."""
        self._watch, self._chance = watch, chance
        self._first: dict[str, list[str]] = {}

    def wish(self, wishes: list[Wish]) -> None:
        """Begin."""
        for wish in wishes:
            self.waiting += 1
            self._asker.begin(self._fulfil(wish))

    async def _fulfil(self, wish: Wish) -> None:
        await self._asker.world.sleep(wish.at)
        jobs = await self._submit(wish)
        if self._chance.random() < 0.3:
            await self._submit(wish)
        for at in wish.cancel_at:
            self.waiting += 1
            self._asker.begin(self._cancel(self._chance.choice(jobs), at))
        for at in wish.retry_at:
            self.waiting += 1
            self._asker.begin(self._retry(self._chance.choice(jobs), at))
        self.waiting -= 1

    async def _submit(self, wish: Wish) -> list[JobId]:
        """Again and again under the same key, until it is answered."""
        body = encode(wish.specs)
        while True:
            try:
                made: list[Job] = await self.ask(
                    "submit", lambda desk: desk.submit(CALLER, wish.specs, wish.key, body, many=True), body
                )
            except Problem:
                await self._asker.world.sleep(self._chance.random() * 2)
                continue
            ids = [job.id for job in made]
            self._watch.submitted(ids)
            if self._first.setdefault(wish.key, list(ids)) != ids:
                self._watch.fail("I-3 one submission a key", f"{wish.key}: {ids} after {self._first[wish.key]}")
            return ids

    async def _cancel(self, job: JobId, at: float) -> None:
        await self._asker.world.sleep(at)
        runs = self._watch.ledger.jobs[job].runs
        try:
            await self.ask("cancel", lambda desk: desk.cancel(CALLER, job), job)
        except Problem:
            pass  # too late, or not heard: then it is not cancelled, or nobody knows
        else:
            self._watch.ledger.cancelled(job, runs)
        self.waiting -= 1

    async def _retry(self, job: JobId, at: float) -> None:
        await self._asker.world.sleep(at)
        for _ in range(5):
            try:
                await self.ask("retry", lambda desk: self._retried(desk, job), job)
            except Conflict:
                await self._asker.world.sleep(2)
            except Problem:
                break
            else:
                break
        self.waiting -= 1

    async def _retried(self, desk: Desk, job: JobId) -> Job:
        self._watch.ledger.jobs[job].may_retry = True
        return await desk.retry(CALLER, job)
