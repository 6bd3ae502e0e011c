"""Submissions as the Job service makes them of specs, and a scheduler that decides what has ended."""

from collections.abc import Callable

import msgspec

from rota.jobs.graph import linked, named_ids
from rota.jobs.queue_clock import QueueClock
from rota.jobs.submit import Submitter, check_specs, new_jobs
from rota.protocol.ids import JobId
from rota.protocol.job import Job, Parts
from rota.protocol.needs import Need, On
from rota.protocol.spec import Spec
from rota.protocol.states import Verdict
from rota.scheduler.decide import decide
from rota.storage.stores.claims import Leased
from rota.storage.stores.jobs import Outcome, Submission
from stores.bench import ANNA, NOW, WORLD, Bench, report

Codes = Callable[[Leased], int]


def named(name: str, *needs: str, on: On = On.SUCCEEDED, **fields: object) -> Spec:
    """A spec that needs others of the same submission."""
    spec = Spec(command=["true"], name=name, needs=[Need(job=other, on=on) for other in needs])
    return msgspec.structs.replace(spec, **fields)


async def offered(bench: Bench, *specs: Spec) -> Submission:
    """What the store says to a submission."""
    fields = [f"jobs[{index}]." for index in range(len(specs))]
    check_specs(specs, fields)
    known = await bench.store.known(named_ids(specs))
    ids = [JobId(WORLD.new_id()) for _ in specs]
    whole = linked(specs, ids, fields, known, None)
    made = new_jobs(ids, whole, fields, Submitter("me", "default"), {"default": {}}, WORLD, QueueClock(WORLD))
    return await bench.store.submit(made, None)


async def submit(bench: Bench, *specs: Spec) -> list[JobId]:
    """The ids, in the order of the specs."""
    return (await offered(bench, *specs)).job_ids


async def decided(bench: Bench, at: str = NOW) -> list[Outcome]:
    """The scheduler decides all that has ended, and what ends by that."""
    outcomes: list[Outcome] = []
    while ended := await bench.store.undecided(500):
        outcomes += await bench.store.decide([decide(one) for one in ended], at)
    return outcomes


async def run_one(bench: Bench, exit_code: int = 0, at: str = NOW) -> Leased:
    """The next job of the queue runs and is decided."""
    [leased] = await bench.claim()
    await bench.store.finish(ANNA, [report(leased.attempt_id, exit_code=exit_code)], at)
    await decided(bench, at)
    return leased


async def run_all(bench: Bench, code_of: Codes = lambda _: 0) -> list[Leased]:
    """Everything that is let in runs and is decided, until nothing is left to run."""
    ran: list[Leased] = []
    while leased := await bench.claim(slots=100):
        ends = [report(one.attempt_id, exit_code=code_of(one)) for one in leased]
        await bench.store.finish(ANNA, ends, NOW)
        await decided(bench)
        ran += leased
    return ran


async def job(bench: Bench, job_id: JobId) -> Job:
    """As it is shown."""
    found = await bench.store.job(job_id)
    assert found is not None
    return found


async def states(bench: Bench, *jobs: JobId) -> list[str]:
    """Of each, the verdict where the state alone says less, else the state."""
    shown = [await job(bench, one) for one in jobs]
    return [str(one.verdict) if one.verdict is Verdict.SUCCEEDED else str(one.state) for one in shown]


async def parts_of(bench: Bench, array: JobId) -> Parts:
    """How its parts are counted."""
    parts = (await job(bench, array)).parts
    assert isinstance(parts, Parts)
    return parts


async def children_of(bench: Bench, array: JobId) -> list[JobId]:
    """The ids of its parts."""
    children = (await job(bench, array)).children
    assert isinstance(children, list)
    return children
