"""What follows an end, as a table. Source: flows.md, "Job has Non-Zero Exitcode"; protocol.md, "States of a job"."""

import pytest

from rota.protocol.decide import Decision, Ended
from rota.protocol.ids import AttemptId, JobId
from rota.protocol.job_finished import Reason, Result
from rota.protocol.spec import Spec
from rota.protocol.states import JobState, Verdict
from rota.scheduler.decide import LOSSES_MAX, decide

SUCCEEDED, FAILED = Verdict.SUCCEEDED, Verdict.FAILED


def ended(state: JobState, result: Result | None = None, tries: int = 1, losses: int = 0) -> Ended:
    return Ended(JobId("j"), AttemptId("a"), state, Spec(command=["true"]), result, tries, losses)


def result(exit_code: int | None, reason: Reason = Reason.EXITED, signal: str | None = None) -> Result:
    return Result(exit_code, signal, reason)


@pytest.mark.parametrize(
    ("what", "verdict"),
    [
        (ended(JobState.FINISHED, result(0)), SUCCEEDED),
        (ended(JobState.FINISHED, result(0), tries=9), SUCCEEDED),
        (ended(JobState.FINISHED, result(1)), FAILED),
        (ended(JobState.FINISHED, result(255)), FAILED),
        (ended(JobState.FINISHED, result(-1)), FAILED),
        (ended(JobState.FINISHED, result(None)), FAILED),
        (ended(JobState.FINISHED, None), FAILED),
        (ended(JobState.FINISHED, result(None, Reason.SIGNALED, "SIGKILL")), FAILED),
        *((ended(JobState.FINISHED, result(0, reason)), FAILED) for reason in Reason if reason is not Reason.EXITED),
        *((ended(JobState.FINISHED, result(None, reason)), FAILED) for reason in Reason),
        (ended(JobState.CANCELLED), FAILED),
        (ended(JobState.CANCELLED, result(0)), FAILED),
        (ended(JobState.CANCELLED, result(None, Reason.CANCELLED)), FAILED),
        (ended(JobState.EXPIRED), FAILED),
    ],
)
def test_exit_code_0_succeeds_and_all_else_fails(what: Ended, verdict: Verdict) -> None:
    assert decide(what) == Decision(JobId("j"), AttemptId("a"), what.state, verdict)


@pytest.mark.parametrize("losses", range(1, LOSSES_MAX))
def test_a_lost_attempt_is_tried_again(losses: int) -> None:
    again = Decision(JobId("j"), AttemptId("a"), JobState.WAITING, None)
    assert decide(ended(JobState.WAITING, tries=losses, losses=losses)) == again


@pytest.mark.parametrize("losses", [LOSSES_MAX, LOSSES_MAX + 1])
def test_where_no_try_is_left_it_says_so(losses: int) -> None:
    decision = decide(ended(JobState.WAITING, losses=losses))

    assert decision.verdict is FAILED
    assert decision.message is not None
    assert str(losses) in decision.message


def test_tries_that_ended_are_no_losses() -> None:
    assert decide(ended(JobState.WAITING, tries=50, losses=1)).verdict is None


def test_a_decision_names_the_attempt_that_it_was_given_for() -> None:
    assert decide(Ended(JobId("j"), None, JobState.EXPIRED, Spec(), None, 0, 0)).attempt_id is None
