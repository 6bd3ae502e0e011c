"""What is due → what is fired: the Job service and the Job-Scheduler. Source: protocol.md, "Schedules"."""

from typing import Annotated

from msgspec import Meta

from rota.protocol.schedule import RUNS_MAX, Missed
from rota.protocol.wire import Answer, Request, Timestamp


class Due(Answer, frozen=True):
    """A schedule whose time has come, at the Job service's own `now`: one clock decides, wherever the scheduler runs.

    `revision` is another one after each change that a person makes; `anchor_at` is what `every_s` counts from.
    """

    environment: str
    name: str
    revision: int
    cron: str | None
    every_s: float | None
    timezone: str
    missed: Missed
    anchor_at: Timestamp
    next_at: Timestamp
    now: Timestamp


class DueSchedules(Answer, frozen=True):
    """A batch of them, longest due first."""

    schedules: list[Due]


class Firing(Request, frozen=True):
    """The scheduler's word on one schedule: the times whose runs become jobs now, and when the next is due.

    `expected_at` and `revision` are those that it was given for; where the schedule has other ones it says nothing.
    `missed` is how many runs are given up.
    """

    environment: str
    name: str
    revision: int
    expected_at: Timestamp
    due_at: Annotated[list[Timestamp], Meta(max_length=RUNS_MAX)]
    missed: int
    next_at: Timestamp | None


class Firings(Request, frozen=True):
    """Each is applied at most once; one that comes late changes nothing."""

    firings: Annotated[list[Firing], Meta(max_length=10_000)]
