"""Which try's log a follower is shown, and what comes after it: plain functions of the job as it is now."""

import msgspec

from rota.jobs.logs import Waits
from rota.protocol.job import Attempt, Job
from rota.protocol.problems import NotFound
from rota.protocol.states import ENDED, HELD, AttemptState, JobState


class Begin(msgspec.Struct, frozen=True):
    """Where to begin: the try `number` alone, or all from the try `first` on, or the newest; at `offset` of its log."""

    offset: int = 0
    number: int | None = None
    first: int | None = None


class Tries:
    """The tries that one follower is shown, one after the other."""

    def __init__(self, job: Job, begin: Begin) -> None:
        self._begin = begin
        self._is_first = True
        """No try's log was begun yet."""
        self._passed = {attempt.attempt_id for attempt in _tries(job) if self._is_before(job, attempt)}

    def present(self, job: Job) -> Attempt | None:
        """The try whose log is to be shown now."""
        if self._begin.number is not None:
            return attempt_of(job, self._begin.number)
        left = self._left(job)
        if self._begin.first is not None or not left:
            return left[0] if left else None
        return left[-1]

    def offset(self, attempt: Attempt) -> int:
        """Where in its log to begin: the follower's own offset is one of the first try that it asked for."""
        is_asked_for = self._is_first and self._begin.first in {None, attempt.number}
        self._is_first = False
        return self._begin.offset if is_asked_for else 0

    def go_on(self, job: Job) -> bool:
        """Whether another try's log follows now. What was read is whole: the try was over before it was read."""
        left = self._left(job)
        if self._begin.first is None or len(left) < 2 or left[0].state in HELD:  # noqa: PLR2004  (this one and the next)
            return False
        self._passed.add(left[0].attempt_id)
        return True

    def is_end(self, job: Job) -> bool:
        """Whether nothing follows."""
        one = None if self._begin.number is None else attempt_of(job, self._begin.number)
        return job.is_over or (one is not None and one.state not in HELD)

    def waits(self, job: Job) -> Waits | None:
        """What is waited for, where no worker has the job: the scheduler's word, or the next try."""
        if self._begin.number is not None or not job.attempts:
            return None
        if job.state in ENDED:
            return Waits(job.state, "waits for the scheduler's word on what follows")
        is_between = job.state in {JobState.WAITING, JobState.QUEUED} and job.message is not None
        return Waits(job.state, job.message or "") if is_between else None

    def _left(self, job: Job) -> list[Attempt]:
        return [attempt for attempt in _tries(job) if attempt.attempt_id not in self._passed]

    def _is_before(self, job: Job, attempt: Attempt) -> bool:
        """Whether its log is not wanted: an earlier one, or one that is over while the job goes on."""
        if self._begin.first is not None:
            return attempt.number < self._begin.first
        return job.state not in ENDED and attempt.state not in HELD


def _tries(job: Job) -> list[Attempt]:
    """A refusal has no log and is passed over."""
    return [attempt for attempt in job.attempts if attempt.state is not AttemptState.REFUSED]


def attempt_of(job: Job, number: int | None) -> Attempt | None:
    """The newest try, or the newest with that number. Raises NotFound."""
    tries = _tries(job)
    if number is None:
        return tries[-1] if tries else None
    for attempt in reversed(tries):
        if attempt.number == number:
            return attempt
    raise NotFound(f"The job has no attempt {number}.")
