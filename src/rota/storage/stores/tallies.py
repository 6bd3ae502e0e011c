"""What the overview asks of its store: what was decided and what was open, by the minute; and what failed last."""

from typing import Protocol

import msgspec

from rota.protocol.ids import AttemptId, JobId, WorkerId


class Tally(msgspec.Struct, frozen=True):
    """What was decided in one minute; `waited_s` and `ran_s` are of all of them together."""

    minute: str
    succeeded: int
    failed: int
    cancelled: int
    waited_s: float
    ran_s: float


class Depth(msgspec.Struct, frozen=True):
    """What was open at one minute."""

    minute: str
    queued: int
    running: int


class Failure(msgspec.Struct, frozen=True):
    """A job that failed; `log_tail` None: it has no log, or (`log_size_bytes` above 0) the blob store has it."""

    job_id: JobId
    attempt_id: AttemptId | None
    message: str | None
    result: str | None
    log_size_bytes: int | None
    log_tail: bytes | None


class Ran(msgspec.Struct, frozen=True):
    """One attempt; `result` is its result as JSON, where it has one."""

    attempt_id: AttemptId
    job_id: JobId
    name: str | None
    worker_id: WorkerId
    state: str
    assigned_at: str
    result: str | None


class TallyStore(Protocol):
    """Minutes are texts as `2026-11-23T12:00`; `environment` None is all of them."""

    async def open_now(self) -> dict[str, tuple[int, int]]:
        """Queued and held jobs of each environment that has any."""
        ...

    async def keep_depth(self, minute: str, depths: dict[str, tuple[int, int]], forget_before: str) -> None:
        """Note what was open, and forget what is older than anybody looks at."""
        ...

    async def tallies(self, since: str, environment: str | None) -> list[Tally]:
        """Oldest first."""
        ...

    async def depths(self, since: str, environment: str | None) -> list[Depth]:
        """Oldest first."""
        ...

    async def failures(self, since: str, environment: str | None, limit: int, tail_size_bytes: int) -> list[Failure]:
        """Newest first."""
        ...

    async def runs(self, first: AttemptId, environment: str | None, limit: int) -> list[Ran]:
        """Attempts from `first` on, and older ones that are held, newest first."""
        ...
