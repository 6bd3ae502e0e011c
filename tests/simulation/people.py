"""People: submit jobs, repeat what was not answered, change their minds, and want it once more."""

import random
from dataclasses import dataclass, field

import msgspec

from rota.jobs.desk import Desk
from rota.protocol.concurrency import Concurrency
from rota.protocol.environment import Caller, CallerKind
from rota.protocol.ids import CredentialId, JobId
from rota.protocol.job import Job
from rota.protocol.needs import Need, On
from rota.protocol.problems import Conflict, Problem
from rota.protocol.retry import Backoff, Retry, RetryReason, Rule
from rota.protocol.spec import InputFile, Spec
from rota.protocol.wire import encode, to_base64
from simulation.execution import Plan, input_of
from simulation.ledger import QUEUE_TIMEOUT_S
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
            self._watch.ledger.cancelled(job, runs, self._asker.loop.time())
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


def wishes(chance: random.Random, workers: int) -> list[Wish]:
    """What is asked of that many workers."""
    made: list[Wish] = []
    for number in range(chance.randint(3, 6) + workers // 4):
        specs = _together([_spec(chance) for _ in range(chance.choice((1, 2, 3, workers)))], number)
        cancel_at = [chance.random() * 8 for _ in range(chance.choice((0, 0, 1)))]
        retry_at = [chance.random() * 10 for _ in range(chance.choice((0, 0, 1)))]
        made.append(Wish(f"wish {number}", chance.random() * 15, specs, cancel_at, retry_at))
    return made


def _retry(chance: random.Random) -> Retry | None:
    if chance.random() < 0.6:
        return None
    failed = Rule(exit_codes=[3], max=chance.choice((None, 1, 2)))
    lost = Rule(reasons=[RetryReason.LOST], delay_s=0.5)
    backoff = Backoff(chance.choice((0.0, 0.1, 1.0)), 2.0, 3.0, chance.choice((0.0, 0.5, 1.0)))
    refused = Rule(reasons=[RetryReason.REFUSED], delay_s=0.2, max=3)
    on = chance.choice((None, [failed], [failed, lost], [failed, refused]))
    return Retry(chance.randint(1, 4), on, chance.choice((None, backoff)))


def _together(specs: list[Spec], number: int) -> list[Spec]:
    """Of some submissions each job needs the one before, whatever becomes of it; those of others take turns."""
    if number % 3 == 1:
        turns = Concurrency(f"group {number}", limit=2)
        return [msgspec.structs.replace(spec, concurrency=turns) for spec in specs]
    if number % 3 == 2 and len(specs) <= 3:
        names = [f"{number}.{place}" for place in range(len(specs))]
        needs: list[list[str | Need]] = [[Need(job=name, on=On.ANY)] for name in names]
        named = zip(specs, names, [[], *needs[:-1]], strict=True)
        return [msgspec.structs.replace(spec, name=name, needs=needed) for spec, name, needed in named]
    return specs


def _spec(chance: random.Random) -> Spec:
    sizes = (10, 300, 5000, 40_000) if chance.random() < 0.8 else (90_000, 200_000, 350_000)
    log = [chance.choice(sizes) for _ in range(chance.randint(0, 3))]
    artifacts = [chance.choice(sizes) for _ in range(chance.choice((0, 0, 1, 2)))]
    duration_s = chance.choice((0.05, 0.5, 2, 5, 9, 14, 14)) * (0.5 + chance.random())
    input_size_bytes = chance.choice((0, 0, 0, 0, 2000))
    plan = Plan(
        duration_s, chance.choice((0, 0, 3)), log, artifacts, input_size_bytes, chance.choice((0.01, 0.5, None))
    )
    inputs = [InputFile("in", to_base64(input_of(plan)))] if input_size_bytes else []
    detach_timeout_s = chance.choice((None, None, None, None, 3.0, 12.0, 60.0))
    return Spec(
        command=plan.command(), inputs=inputs, artifacts=["out/**"] if artifacts else [], grace_s=1.0,
        timeout_s=chance.choice((None, None, None, 3.0)),
        queue_timeout_s=chance.choice((None, None, None, None, QUEUE_TIMEOUT_S)), priority=chance.choice((0, 0, 5)),
        lease_policy="stop" if detach_timeout_s is None else "keep", detach_timeout_s=detach_timeout_s,
        retry=_retry(chance),
    )  # fmt: skip
