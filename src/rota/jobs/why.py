"""Why a job waits: from facts to reasons, a plain function. Source: protocol.md, "/api/v1/jobs/{id}/why"."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from rota.protocol.conditions import said
from rota.protocol.placement import Demand, QueueKey, WorkerFacts, lacking
from rota.protocol.states import JobState
from rota.protocol.status import WorkerStatus
from rota.protocol.why import Reason, ReasonCode
from rota.protocol.wire import parse_timestamp
from rota.protocol.worker import Worker
from rota.storage.stores.standings import LINE_MAX, Line, Neighbour, Standing

_AWAY = frozenset({WorkerStatus.LOST, WorkerStatus.OFFLINE})
_SOON_S = 120.0
_SAID_MAX = 3
"""Most values, or names, in one sentence."""


def reasons(standing: Standing, workers: Sequence[Worker] | None, line: Line | None, now: datetime) -> list[Reason]:
    """All that holds the job back; `workers` None: nobody can tell which there are, `line` None: it is in none."""
    if standing.state is JobState.WAITING:
        return list(_held_back(standing, now))
    if standing.state is JobState.QUEUED:
        return [*_for_workers(standing, workers), *([] if line is None else [_place(line)])]
    return [_undecided(standing)] if standing.is_undecided else []


def competing(keys: Mapping[int, QueueKey], standing: Standing, workers: Iterable[Worker]) -> list[int]:
    """The queues that workers which fit the job are given jobs from; its own is always one of them."""
    own = Demand(standing.key)
    able = [facts for worker in workers if is_there(worker) and own.fits(facts := facts_of(worker))]
    alike = {str((one.labels, one.executors, one.resources)): one for one in able}.values()
    demands = ((number, Demand(key)) for number, key in keys.items() if key.environment == standing.environment)
    return [number for number, demand in demands if number == standing.queue or any(map(demand.fits, alike))]


def is_there(worker: Worker) -> bool:
    """Whether it comes for jobs."""
    return worker.status not in _AWAY and not is_drained(worker)


def is_drained(worker: Worker) -> bool:
    """Whether it takes no more jobs, though it is there."""
    return worker.draining or worker.status is WorkerStatus.DRAINING


def _held_back(standing: Standing, now: datetime) -> Iterator[Reason]:
    """What the gate waits for."""
    if standing.is_undecided:
        yield _undecided(standing)
    if standing.unmet:
        behind = _named(standing.needed, standing.unmet)
        yield Reason(ReasonCode.NEEDS, f"waits for {behind}", job_ids=[one.job_id for one in standing.needed])
    elif standing.parts_left:
        yield Reason(ReasonCode.NEEDS, f"{standing.parts_left} of its parts have no verdict yet")
    if standing.ready_at is not None:
        left_s = (parse_timestamp(standing.ready_at) - now).total_seconds()
        when = f"in {max(0.0, left_s):.0f} s" if left_s < _SOON_S else f"at {standing.ready_at}"
        if standing.was_offered:
            yield Reason(ReasonCode.BACKOFF, f"backoff, try {standing.tries + 1} {when}", at=standing.ready_at)
        elif left_s > 0:
            yield Reason(ReasonCode.NOT_BEFORE, f"not before {standing.ready_at}", at=standing.ready_at)
    if not standing.is_seated:
        yield from _for_seats(standing)
    if standing.rate_opens_at is not None and parse_timestamp(standing.rate_opens_at) > now:
        rate = f"{standing.rate_count} in {standing.rate_per_s:g} s"
        message = f"group {standing.group_name} lets in {rate}; the next at {standing.rate_opens_at}"
        yield Reason(ReasonCode.LIMIT, message, at=standing.rate_opens_at)


def _for_seats(standing: Standing) -> Iterator[Reason]:
    """Who has the seats that it waits for."""
    if standing.group_limit is not None and standing.holder_count >= standing.group_limit:
        behind = _named(standing.holders, standing.holder_count)
        message = f"group {standing.group_name} is at its limit {standing.group_limit}, behind {behind}"
        yield Reason(ReasonCode.GROUP, message, job_ids=[holder.job_id for holder in standing.holders])
    if standing.parallel_max is not None and standing.parts_seated >= standing.parallel_max:
        message = f"max_parallel of its array is {standing.parallel_max}, and so many parts are queued or run"
        yield Reason(ReasonCode.LIMIT, message)


def facts_of(worker: Worker) -> WorkerFacts:
    """What the registry knows of it, as its credential says it."""
    return WorkerFacts(
        worker.worker_id, worker.environment, worker.name, worker.labels, worker.executors, worker.slots,
        worker.resources,
    )  # fmt: skip


def _undecided(standing: Standing) -> Reason:
    what = f"try {standing.tries}" if standing.tries else "its end"
    return Reason(ReasonCode.BACKOFF, f"the scheduler has not said yet what follows {what}")


def _for_workers(standing: Standing, workers: Sequence[Worker] | None) -> Iterator[Reason]:
    """What is the matter with the workers of its environment; nothing where one of them is free for it."""
    if workers is None:
        yield Reason(ReasonCode.NO_WORKER, "the registry does not answer: nobody can tell which workers there are")
        return
    demand = Demand(standing.key)
    fitting = [worker for worker in workers if demand.fits(facts_of(worker))]
    able = [worker for worker in fitting if is_there(worker)]
    if able:
        if not any(worker.free_slots for worker in able):
            alone = f"the only worker that fits is busy: {able[0].name}"
            yield Reason(ReasonCode.WORKERS_BUSY, f"all {len(able)} fitting workers are busy" if able[1:] else alone)
        elif standing.is_passed_over:
            yield Reason(ReasonCode.WORKERS_BUSY, _no_room(standing, able))
        return
    if fitting:
        states = Counter(str(one.status) if one.status in _AWAY else "drained" for one in fitting)
        told = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        yield Reason(ReasonCode.NO_WORKER, f"no worker that fits takes jobs: {told}")
        return
    present = [worker for worker in workers if worker.status not in _AWAY]
    yield Reason(ReasonCode.NO_WORKER, _nobody_fits(standing.key, present))


def _no_room(standing: Standing, able: Sequence[Worker]) -> str:
    """What is not free now, and who is about to make room."""
    asked = ", ".join(f"{name} {amount}" for name, amount in standing.key.resources.items())
    keeper = next((worker.name for worker in able if worker.worker_id == standing.reserved_by), None)
    keeps = "" if keeper is None else f"; {keeper} takes nothing that stands behind it"
    return f"no worker that fits has {asked} free now{keeps}"


def _nobody_fits(key: QueueKey, workers: Sequence[Worker]) -> str:
    """What none of them has, and what they have instead."""
    if not workers:
        return f"no worker is there in the environment {key.environment}"
    lacks = [lacking(key, facts_of(worker)) for worker in workers]
    nobody = [lack for lack in lacks[0] if all(lack in others for others in lacks)]
    if not nobody:
        wanted = dict.fromkeys(lack for others in lacks for lack in others)
        return f"no worker has all of {', '.join(wanted)}"
    told = [f"{lack}{_instead(lack, key, workers)}" for lack in nobody]
    return f"no worker has {', '.join(told)}"


def _instead(lack: str, key: QueueKey, workers: Sequence[Worker]) -> str:
    """` (3 have gpu=t4)`, the most common first; of a resource ` (the most is 8)`."""
    label = next((label for label, wanted in key.requires.items() if said(label, wanted) == lack), None)
    if label is None:
        most = max((worker.resources.get(lack.split(" ", maxsplit=1)[0], 0) for worker in workers), default=0)
        return f" (the most is {most})" if most else ""
    values = Counter(worker.labels[label] for worker in workers if label in worker.labels).most_common(_SAID_MAX)
    told = [f"{count} {'have' if count > 1 else 'has'} {label}={value}" for value, count in values]
    return f" ({', '.join(told)})" if told else ""


def _place(line: Line) -> Reason:
    if line.place >= LINE_MAX:
        return Reason(ReasonCode.PLACE, f"place {LINE_MAX:,} or more in its queue", place=line.place)
    before = line.place - 1
    if not before:
        return Reason(ReasonCode.PLACE, "it is the next in its queue", place=1)
    others = f", {line.others} of other submitters" if line.others else ""
    go = "goes" if before == 1 else "go"
    return Reason(ReasonCode.PLACE, f"place {line.place} in its queue: {before} {go} first{others}", place=line.place)


def _named(neighbours: Sequence[Neighbour], count: int) -> str:
    """`job a (running)`, `3 jobs: a (running), …`."""
    told = [f"{one.name or one.job_id} ({one.state})" for one in neighbours]
    if count == 1:
        return f"job {told[0]}"
    more = [f"{count - len(told)} more"] if count > len(told) else []
    return f"{count} jobs: {', '.join(told + more)}"
