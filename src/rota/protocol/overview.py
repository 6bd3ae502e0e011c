"""How it goes: what was decided, what waited and what failed, over the last hour, day or week."""

from rota.protocol.ids import JobId
from rota.protocol.wire import Answer, Timestamp


class Period(Answer, frozen=True):
    """A stretch of time from `at` on: means of what was decided in it, and the greatest depths that were sampled."""

    at: Timestamp
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    waited_s: float = 0.0
    ran_s: float = 0.0
    queued: int = 0
    running: int = 0


class Failures(Answer, frozen=True):
    """Jobs whose last words were alike; `said` is theirs, numbers left out."""

    said: str
    count: int
    job_ids: list[JobId]


class Overview(Answer, frozen=True):
    """`periods` are `period_s` long each and fill `window_s`, oldest first; `failures` are the most frequent first."""

    window_s: float
    period_s: float
    queued: int
    running: int
    periods: list[Period]
    failures: list[Failures]
