"""What holds a new job back from its queue, and whom it names. Source: docs/decisions/0016-the-gate.md."""

import msgspec

from rota.protocol.ids import JobId
from rota.protocol.needs import On


class Hold(msgspec.Struct, frozen=True):
    """What a job waits for before it may enter its queue.

    `unmet` needs; the time `ready_at`; a seat among `group_limit` of the group `group_name` in its environment, and one
    among `parallel_max` of the parts of `parent_id`; the group's rate, `rate_count` within `rate_per_s` seconds. One
    that `supersedes` cancels who is in its group. An array waits for the verdicts of its `parts_left`. `graph_id` is
    shared by jobs that may have to go down together.
    """

    unmet: int = 0
    ready_at: str | None = None
    group_name: str | None = None
    group_limit: int | None = None
    parent_id: JobId | None = None
    parallel_max: int | None = None
    parts_left: int | None = None
    supersedes: bool = False
    rate_count: int | None = None
    rate_per_s: float | None = None
    graph_id: JobId | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether it is for the gate at all; of an array or a graph alone, it is not."""
        return self.parts_left is not None or any((self.unmet, self.ready_at, self.group_name, self.parallel_max))


class NewNeed(msgspec.Struct, frozen=True):
    """A job that a new one needs, an old or a new one, and which end of it."""

    job_id: JobId
    on: On


class NewReference(msgspec.Struct, frozen=True):
    """An input that another job brings: an artifact of it, or (`source_path` None) the value of its result."""

    path: str
    source_id: JobId
    source_path: str | None


class Known(msgspec.Struct, frozen=True):
    """What a job is that another one names: where it is, whether it has its verdict, whether it is an array."""

    environment: str
    is_decided: bool
    is_array: bool
