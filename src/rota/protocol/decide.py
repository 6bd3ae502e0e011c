"""What has ended → what follows: the Job service and the Job-Scheduler. Source: flows.md, "Non-Zero Exitcode"."""

from typing import Annotated

from msgspec import Meta

from rota.protocol.conditions import Wants
from rota.protocol.ids import AttemptId, JobId, WorkerId
from rota.protocol.job_finished import Result
from rota.protocol.resources import Resources
from rota.protocol.retry import RULES_MAX
from rota.protocol.spec import Spec
from rota.protocol.states import AttemptState, JobState, Verdict
from rota.protocol.wire import Answer, Request

DELAY_S_MAX = 10 * 365 * 86400.0
"""As any duration of a spec."""


class Ended(Answer, frozen=True):
    """A job that waits for the scheduler's word.

    `attempt_id` is its last attempt (null: none was made), `attempt` that one's state; `tries` and `losses` count the
    attempts that were started and that were lost since the job was submitted or retried by a person, `refusals` those
    that were refused in a row. `by_rule`: how often each rule of its `retry` has led to another try. `log_tail`: the
    last lines of the log, where its spec makes the decision hang on them. `cancel_requested`: somebody wants no more of
    it, and its result came first; `is_overdue`: its deadline had passed before it ended.
    """

    job_id: JobId
    attempt_id: AttemptId | None
    state: JobState
    spec: Spec
    result: Result | None
    tries: int
    losses: int
    attempt: AttemptState | None = None
    worker_id: WorkerId | None = None
    refusals: int = 0
    by_rule: list[int] = []
    log_tail: str | None = None
    cancel_requested: bool = False
    is_overdue: bool = False


class EndedJobs(Answer, frozen=True):
    """A batch of them, longest waiting first."""

    jobs: list[Ended]


class Decision(Request, frozen=True):
    """The scheduler's word on one job as it ended then: a verdict, or one more try (`verdict` null) after `delay_s`.

    `attempt_id` and `state` name the end that it was given for; on any other end it says nothing. `rule` is the one of
    `retry.on` that leads to the next try; `requires` and `resources` are what that asks for beside the spec's own
    (null: as the try before).
    """

    job_id: JobId
    attempt_id: AttemptId | None
    state: JobState
    verdict: Verdict | None
    message: str | None = None
    delay_s: Annotated[float, Meta(ge=0, le=DELAY_S_MAX)] = 0.0
    rule: Annotated[int, Meta(ge=0, lt=RULES_MAX)] | None = None
    requires: Wants | None = None
    resources: Resources | None = None


class Decisions(Request, frozen=True):
    """Each is applied at most once; one that comes late changes nothing."""

    decisions: Annotated[list[Decision], Meta(max_length=10_000)]
