"""Specs become jobs: checked, their demands made queue keys, all or none. Source: protocol.md, "POST /api/v1/jobs"."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from rota.jobs.queue_clock import QueueClock
from rota.protocol.ids import JobId
from rota.protocol.moments import utc
from rota.protocol.placement import QueueKey
from rota.protocol.resources import counted
from rota.protocol.spec import InputFile, Spec, check_spec
from rota.protocol.turns import WEIGHT
from rota.protocol.wire import from_base64, timestamp
from rota.storage.stores.jobs import Hold, NewInput, NewJob
from rota.world import World


class Submitter(NamedTuple):
    """Whose jobs they will be: `tenant` '' where there is none, `environment` where the spec names none."""

    submitted_by: str
    environment: str
    tenant: str = ""


def new_jobs(
    specs: Sequence[Spec],
    fields: Sequence[str],
    by: Submitter,
    shares: Mapping[str, Mapping[str, float]],
    world: World,
    queue_clock: QueueClock,
) -> list[NewJob]:
    """The jobs to be; `shares` has each environment's. Raises InvalidRequest naming every field that could not work.

    A field's name stands behind that of its spec, out of `fields`.
    """
    keys: dict[str, QueueKey] = {}
    now = world.now()
    jobs: list[NewJob] = []
    for spec, field in zip(specs, fields, strict=True):
        check_spec(spec, field)
        environment = spec.environment or by.environment
        asked = QueueKey(environment, spec.executor, spec.requires, spec.prefers, counted(spec.resources))
        key = keys.setdefault(asked.text(), asked)
        jobs.append(
            NewJob(
                JobId(world.new_id()),
                _without_content(spec),
                key,
                timestamp(now),
                by.submitted_by,
                queue_clock.in_s(spec.queue_timeout_s),
                [_input(file) for file in spec.inputs],
                None if spec.not_before is None else Hold(ready_at=utc(spec.not_before)),
                tenant=by.tenant,
                weight=shares[environment].get(by.tenant, WEIGHT),
                deadline_at=utc(spec.deadline),
            )
        )
    return jobs


def _without_content(spec: Spec) -> Spec:
    """The spec as it is kept: the inputs' bytes have rows of their own."""
    if not spec.inputs:
        return spec
    return msgspec.structs.replace(spec, inputs=[InputFile(file.path) for file in spec.inputs])


def _input(file: InputFile) -> NewInput:
    content = from_base64(file.content or "", "inputs.content")
    return NewInput(file.path, hashlib.sha256(content).hexdigest(), content)
