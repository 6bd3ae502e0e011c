"""Specs become jobs: checked, their demands made queue keys, all or none. Source: protocol.md, "POST /api/v1/jobs"."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from rota.jobs.queue_clock import QueueClock
from rota.protocol.ids import JobId
from rota.protocol.matrix import PARTS_MAX, parts
from rota.protocol.moments import utc
from rota.protocol.needs import need_of
from rota.protocol.placement import QueueKey
from rota.protocol.problems import InvalidRequest
from rota.protocol.resources import counted
from rota.protocol.spec import Spec, check_spec
from rota.protocol.turns import WEIGHT
from rota.protocol.wire import encode, from_base64, timestamp
from rota.storage.stores.holds import Hold, NewNeed, NewReference
from rota.storage.stores.jobs import NewInput, NewJob
from rota.world import World

PARTS_SIZE_BYTES_MAX = 64 * 1024 * 1024
"""Most bytes that the specs of one submission's parts are in all: each is kept whole."""


def check_specs(specs: Sequence[Spec], fields: Sequence[str]) -> None:
    """Raise InvalidRequest naming every field that could not work, behind its spec's `fields`."""
    for spec, field in zip(specs, fields, strict=True):
        check_spec(spec, field)


class Submitter(NamedTuple):
    """Whose jobs they will be: `tenant` '' where there is none, `environment` where the spec names none."""

    submitted_by: str
    environment: str
    tenant: str = ""


def new_jobs(
    ids: Sequence[JobId],
    specs: Sequence[Spec],
    fields: Sequence[str],
    by: Submitter,
    shares: Mapping[str, Mapping[str, float]],
    world: World,
    queue_clock: QueueClock,
) -> list[NewJob]:
    """The jobs to be, with these ids, arrays with their parts behind them; `shares` has each environment's.

    `specs` were checked, and name other jobs by their ids. Raises InvalidRequest where the parts are too many, with
    the field's name behind that of its spec, out of `fields`.
    """
    keys: dict[str, QueueKey] = {}
    now = world.now()
    jobs: list[NewJob] = []
    graph = ids[0] if len(ids) > 1 and any(spec.on_unmet == "cancel" for spec in specs) else None
    left = PARTS_MAX
    for id_, spec, field in zip(ids, specs, fields, strict=True):
        environment = spec.environment or by.environment
        asked = QueueKey(environment, spec.executor, spec.requires, spec.prefers, counted(spec.resources))
        key = keys.setdefault(asked.text(), asked)
        job = NewJob(
            id_,
            _without_content(spec),
            key,
            timestamp(now),
            by.submitted_by,
            queue_clock.in_s(spec.queue_timeout_s),
            [_input(file.path, file.content) for file in spec.inputs if file.content is not None],
            _hold(spec, graph),
            tenant=by.tenant,
            weight=shares[environment].get(by.tenant, WEIGHT),
            needs=[NewNeed(JobId(need.job_id or ""), need.on) for need in map(need_of, spec.needs)],
            references=_references(spec),
            deadline_at=utc(spec.deadline),
        )
        made = _parts(job, field, left, world) if spec.has_parts else [job]
        left -= len(made) - 1
        jobs += made
    return jobs


def _hold(spec: Spec, graph: JobId | None) -> Hold | None:
    """What the gate holds it back for; None where that is nothing."""
    group = spec.concurrency
    rate = None if group is None else group.rate
    hold = Hold(
        unmet=len(spec.needs),
        ready_at=utc(spec.not_before),
        group_name=None if group is None else group.group,
        group_limit=None if group is None else group.limit,
        supersedes=group is not None and group.cancel_in_progress,
        rate_count=None if rate is None else rate.count,
        rate_per_s=None if rate is None else rate.per_s,
        graph_id=graph,
    )
    return hold if hold != Hold() or any(file.reference for file in spec.inputs) else None


def _parts(job: NewJob, field: str, left: int, world: World) -> list[NewJob]:
    """The array, and behind it its parts: each its own environment, the array's inputs and needs."""
    spec = job.spec
    made = parts(spec.array, spec.matrix, spec.include, spec.exclude)
    if len(made) > left:
        raise InvalidRequest.of(f"{field}{_maker(spec)}", f"makes the submission more than {PARTS_MAX} parts in all")
    one = msgspec.structs.replace(
        spec,
        array=None,
        matrix=None,
        include=[],
        exclude=[],
        max_parallel=None,
        fail_fast=False,
        needs=[],
        on_unmet=None,
    )
    size_bytes = len(made) * (len(encode(one)) + max(len(encode(env)) for env in made))
    if size_bytes > PARTS_SIZE_BYTES_MAX:
        message = f"and the spec would be {size_bytes} bytes in all its parts; send what is long as an input"
        raise InvalidRequest.of(f"{field}{_maker(spec)}", message)
    hold = job.hold or Hold()
    is_held = bool(job.needs or job.references)
    most = spec.max_parallel if spec.max_parallel is not None and spec.max_parallel < len(made) else None
    part_hold = msgspec.structs.replace(hold, unmet=int(is_held), parent_id=job.id, parallel_max=most)
    whole = Hold(unmet=hold.unmet, parts_left=len(made), graph_id=hold.graph_id)
    children = [
        msgspec.structs.replace(
            job, id=JobId(world.new_id()), spec=msgspec.structs.replace(one, env=one.env | env), inputs=[], needs=[],
            references=[], hold=part_hold,
        )
        for env in made
    ]  # fmt: skip
    return [msgspec.structs.replace(job, hold=whole), *children]


def _maker(spec: Spec) -> str:
    """The field that the parts come from."""
    return "array" if spec.array is not None else "matrix" if spec.matrix else "include"


def _without_content(spec: Spec) -> Spec:
    """The spec as it is kept: the inputs' bytes have rows of their own."""
    if not spec.inputs:
        return spec
    return msgspec.structs.replace(spec, inputs=[msgspec.structs.replace(file, content=None) for file in spec.inputs])


def _references(spec: Spec) -> list[NewReference]:
    return [
        NewReference(
            file.path, JobId(file.reference.job_id or ""), None if file.artifact is None else file.artifact.path
        )
        for file in spec.inputs
        if file.reference is not None
    ]


def _input(path: str, text: str) -> NewInput:
    content = from_base64(text, "inputs.content")
    return NewInput(path, hashlib.sha256(content).hexdigest(), content)
