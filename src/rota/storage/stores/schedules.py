"""What the Job service asks of the store of its schedules. A run and the schedule's move on are one transaction."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from rota.protocol.fire import Due, Firing
from rota.protocol.ids import JobId
from rota.protocol.schedule import Schedule
from rota.storage.stores.jobs import NewJob, Outcome, Repeatable


class StoredSchedule(msgspec.Struct, frozen=True):
    """A schedule with what people do not see. `revision` is another one after each change that a person makes.

    `tenant` is its submitter's; '': it takes turns for itself.
    """

    schedule: Schedule
    revision: int
    anchor_at: str
    tenant: str


class Run(msgspec.Struct, frozen=True):
    """The jobs to be, the run's own first, and the time that it is due at; None: a person runs it."""

    jobs: list[NewJob]
    due_at: str | None


class ScheduleStore(Protocol):
    """Schedules by environment and name. Every write raises Unavailable where the disk fails."""

    async def insert(self, schedule: StoredSchedule) -> bool:
        """False where there is one of this name in its environment."""
        ...

    async def schedule(self, environment: str, name: str) -> StoredSchedule | None:
        """One, its spec whole."""
        ...

    async def environments(self, name: str) -> list[str]:
        """Those that have a schedule of this name."""
        ...

    async def schedules(self, environment: str | None, after: tuple[str, str], limit: int) -> list[Schedule]:
        """By environment and name, behind `after`; specs without the inputs' content."""
        ...

    async def change(self, schedule: StoredSchedule, expected_at: str | None) -> bool:
        """Replace what people may change of it; False where its revision or next time is another one by now."""
        ...

    async def delete(self, environment: str, name: str) -> bool:
        """Whether there was one. Its jobs stay."""
        ...

    async def due(self, now: str, limit: int) -> list[Due]:
        """Longest due first."""
        ...

    async def next_at(self) -> str | None:
        """When the next of all is due."""
        ...

    async def fire(self, firing: Firing, runs: Sequence[Run], message: str | None) -> list[Outcome] | None:
        """Its runs become jobs, as `overlap` says, and its next time another one; None where the word came late."""
        ...

    async def run(
        self, environment: str, name: str, revision: int, run: Run, repeatable: Repeatable | None
    ) -> tuple[JobId, list[Outcome]] | None:
        """One run out of turn; None where the revision is another one by now.

        Raises Conflict where `overlap` leaves it out.
        """
        ...
