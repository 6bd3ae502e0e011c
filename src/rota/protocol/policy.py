"""What a policy of one's own is asked, and what it answers: in Python, and as JSON for an outside scheduler.

Source: docs/how-to/policies.md.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta

from rota.protocol.conditions import SubmittedWanted
from rota.protocol.ids import AttemptId, JobId, WorkerId
from rota.protocol.job_finished import Result
from rota.protocol.resources import Resources
from rota.protocol.retry import Delay
from rota.protocol.spec import Spec
from rota.protocol.states import Verdict
from rota.protocol.wire import Answer, Request

MESSAGE_LENGTH_MAX = 1000
ENTRY_POINTS = "rota.policies"
"""The group of entry points that a scheduler looks for policies in."""


class Again(Request, frozen=True):
    """One more try, after `delay_s`; `requires`, `resources`: what is asked for from then on, beside the spec's own."""

    delay_s: Delay = 0.0
    requires: Mapping[str, SubmittedWanted] = {}
    resources: Resources = {}


class PolicyAnswer(Request, frozen=True):
    """A verdict or one more try, exactly one of the two; `message` is shown with the job."""

    verdict: Verdict | None = None
    again: Again | None = None
    message: Annotated[str, Meta(max_length=MESSAGE_LENGTH_MAX)] | None = None


class PolicyQuestion(Answer, frozen=True):
    """A try that has ended, and what is known of the job.

    `state`: `finished`, with a `result`, or `lost`. Of `tries_max` tries `tries` were made, this one among them;
    `losses` were lost. `log_tail`: the last lines of its log. `usual`: what is decided where the policy says nothing.
    """

    job_id: JobId
    attempt_id: AttemptId
    state: Literal["finished", "lost"]
    spec: Spec
    result: Result | None
    tries: int
    tries_max: int
    losses: int
    worker_id: WorkerId | None
    log_tail: str
    usual: PolicyAnswer


class Announcement(Request, frozen=True):
    """The policies that a scheduler knows, to the Job service."""

    policies: Annotated[list[str], Meta(max_length=10_000)]
