"""Ends of jobs, for the tests of what follows them."""

from rota.protocol.decide import Ended
from rota.protocol.ids import AttemptId, JobId
from rota.protocol.job_finished import Reason, Result
from rota.protocol.retry import Backoff, Retry, Rule
from rota.protocol.spec import Spec
from rota.protocol.states import AttemptState, JobState


def result(exit_code: int | None = None, reason: Reason = Reason.EXITED, signal: str | None = None) -> Result:
    """How the process ended."""
    return Result(exit_code, signal, reason)


def retrying(*rules: Rule, tries: int = 3, backoff: Backoff | None = None, **fields: object) -> Spec:
    """A spec that is tried again after these ends; after any, where there is no rule."""
    return Spec(command=["true"], retry=Retry(tries, list(rules) or None, backoff), **fields)  # type: ignore[arg-type]


def finished(spec: Spec, how: Result, tries: int = 1, **facts: object) -> Ended:
    """A job that brought this result."""
    return ended(spec, JobState.FINISHED, how, tries, 0, AttemptState.FINISHED, **facts)


def lost(spec: Spec, tries: int = 1, losses: int = 1, **facts: object) -> Ended:
    """A job whose worker vanished."""
    return ended(spec, JobState.WAITING, None, tries, losses, AttemptState.LOST, **facts)


def refused(spec: Spec, refusals: int = 1, **facts: object) -> Ended:
    """A job that was given back, and whose spec has a rule for that."""
    return ended(spec, JobState.WAITING, None, 0, 0, AttemptState.REFUSED, refusals=refusals, **facts)


def ended(
    spec: Spec, state: JobState, how: Result | None, tries: int, losses: int, attempt: AttemptState, **facts: object
) -> Ended:
    """All of it."""
    return Ended(JobId("j"), AttemptId("a"), state, spec, how, tries, losses, attempt, **facts)  # type: ignore[arg-type]
