"""Schedules: a spec that becomes a job at times of a calendar, or every so often. Source: protocol.md, "Schedules"."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from rota.protocol.cron import EVERY_S_MIN, cron_times, interval_times, wrong_cron, wrong_zone
from rota.protocol.ids import JobId
from rota.protocol.problems import FieldError, InvalidRequest
from rota.protocol.spec import Spec, SubmittedSpec, check_spec
from rota.protocol.states import JobState, Verdict
from rota.protocol.wire import Answer, Request, Timestamp, parse_timestamp

ScheduleName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$(?!\n)",
        description="1 to 100 letters, digits, dots, hyphens and underscores, a letter or digit first",
    ),
]
Cron = Annotated[str, Meta(max_length=500)]

UTC_ZONE = "UTC"
EVERY_S_MAX = 10 * 365 * 86400.0
LIST_MAX = 1000
"""Most schedules on one page of a list."""
TIMES_MAX = 1000
"""Most coming times in one answer."""
RUNS_MAX = 1000
"""Most runs of one schedule that wait in line, and most that are made up after a pause of the scheduler."""
SET_BY_SCHEDULE = ("ROTA_SCHEDULE", "ROTA_DUE_AT")
"""Variables that a schedule's jobs are given: its name; when the run was due, and nothing where a person ran it."""


class Overlap(StrEnum):
    """What happens when a run is due while a job of the schedule has not ended."""

    SKIP = "skip"  # the run is left out, and counted
    QUEUE = "queue"  # its job waits until the one before it has ended
    REPLACE = "replace"  # the jobs before it are cancelled, and its own starts when they have ended


class Missed(StrEnum):
    """What becomes of the runs that nobody was there to start."""

    SKIP = "skip"  # they are counted
    ONCE = "once"  # the latest one is made up, the others are counted
    ALL = "all"  # all are made up, one after another


class CreateSchedule(Request, frozen=True):
    """Exactly one of `cron` and `every_s`. It belongs to its spec's environment, and its name is one of that."""

    name: ScheduleName
    spec: SubmittedSpec
    cron: Cron | None = None
    every_s: float | None = None
    timezone: str = UTC_ZONE
    overlap: Overlap = Overlap.SKIP
    missed: Missed = Missed.SKIP


class ChangeSchedule(Request, frozen=True):
    """What is to be otherwise; a field left out stays. `cron` takes the place of `every_s`, and the other way round."""

    spec: SubmittedSpec | UnsetType = UNSET
    cron: Cron | UnsetType = UNSET
    every_s: float | UnsetType = UNSET
    timezone: str | UnsetType = UNSET
    overlap: Overlap | UnsetType = UNSET
    missed: Missed | UnsetType = UNSET


class Counts(Answer, frozen=True):
    """Runs that became jobs; that were left out because one before had not ended; that nobody was there to start."""

    fired: int = 0
    skipped: int = 0
    missed: int = 0


class LastRun(Answer, frozen=True):
    """The newest job of a schedule; `due_at` null where a person ran it."""

    job_id: JobId
    due_at: Timestamp | None
    state: JobState
    verdict: Verdict | None


class Schedule(Answer, frozen=True):
    """As people see it. `next_at` is null while it is paused; `message` says what went wrong with its latest run."""

    name: str
    environment: str
    cron: str | None
    every_s: float | None
    timezone: str
    spec: Spec
    overlap: Overlap
    missed: Missed
    paused: bool
    next_at: Timestamp | None
    created_at: Timestamp
    submitted_by: str
    counts: Counts = Counts()
    last: LastRun | None = None
    message: str | None = None


class ScheduleList(Answer, frozen=True):
    """By environment and name; `next_cursor` null on the last page."""

    schedules: list[Schedule]
    next_cursor: str | None = None


class ScheduleTimes(Answer, frozen=True):
    """The coming times of one."""

    times: list[Timestamp]


def check_schedule(
    cron: str | None, every_s: float | None, timezone: str, overlap: Overlap, missed: Missed, spec: Spec
) -> None:
    """Raise InvalidRequest naming each field that could not work, and what to write instead."""
    wrong: list[tuple[str, str | None]] = [("timezone", wrong_zone(timezone))]
    if (cron is None) == (every_s is None):
        wrong.append(("cron", "give exactly one of `cron` (such as `30 2 * * *`) and `every_s` (such as 3600)"))
    if cron is not None:
        wrong.append(("cron", wrong_cron(cron)))
    if every_s is not None and not EVERY_S_MIN <= every_s <= EVERY_S_MAX:
        wrong.append(("every_s", f"is at least {EVERY_S_MIN:g} (a second) and at most {EVERY_S_MAX:.0f} (ten years)"))
    if every_s is not None and timezone != UTC_ZONE:
        wrong.append(
            ("timezone", "is for `cron` alone; `every_s` counts seconds, whatever a clock shows. Leave it out")
        )
    if missed is Missed.ALL and overlap is Overlap.REPLACE:
        wrong.append(("missed", "`all` makes up runs that `overlap: replace` would cancel again; write `once`"))
    wrong += [
        (f"spec.{field}", "is one moment, and the jobs of a schedule are many; leave it out")
        for field in ("not_before", "deadline")
        if getattr(spec, field) is not None
    ]
    if spec.needs:
        wrong.append(("spec.needs", "names jobs that are, and the jobs of a schedule are to come; leave it out"))
    if overlap is Overlap.QUEUE and (spec.has_parts or spec.concurrency is not None):
        wrong.append(("overlap", "`queue` is not for an array, nor for jobs in a group of their own; write `skip`"))
    wrong += [
        (f"spec.inputs[{index}]", "is another job's, and the jobs of a schedule are many; send `content` instead")
        for index, file in enumerate(spec.inputs)
        if file.reference is not None
    ]
    taken = [name for name in SET_BY_SCHEDULE if name in spec.env]
    wrong += [(f"spec.env.{name}", "is set by the schedule itself; take another name") for name in taken]
    errors = [FieldError(field, message) for field, message in wrong if message is not None]
    try:
        check_spec(spec, "spec.")
    except InvalidRequest as problem:
        errors += problem.extra["errors"]
    if errors:
        raise InvalidRequest("; ".join(f"{e.field}: {e.message}" for e in errors), errors)


def times(
    cron: str | None, every_s: float | None, timezone: str, anchor_at: str, after: datetime
) -> Iterator[datetime]:
    """A good schedule's moments behind `after`, in order, in UTC. `anchor_at` is what `every_s` counts from."""
    if cron is not None:
        return cron_times(cron, timezone, after)
    return interval_times(every_s or EVERY_S_MIN, parse_timestamp(anchor_at), after)
