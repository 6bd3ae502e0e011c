"""From a job's end to an exit code. Source: interface.md, "Exit codes of run and wait"."""

import pytest

from rota.cli.exit_codes import of_job, of_jobs
from rota.protocol.ids import JobId
from rota.protocol.job import Job
from rota.protocol.job_finished import Reason, Result
from rota.protocol.spec import Spec
from rota.protocol.states import JobState, Verdict

NOW = "2026-11-23T12:00:00.000000Z"


def a_job(result: Result | None, state: JobState = JobState.FINISHED, verdict: Verdict | None = None) -> Job:
    return Job(JobId("j"), state, verdict, Spec(), NOW, "c", result)


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (Result(0, None, Reason.EXITED), 0),
        (Result(119, None, Reason.EXITED), 119),
        (Result(255, None, Reason.EXITED), 255),
        (Result(None, "SIGSEGV", Reason.SIGNALED), 139),
        (Result(None, "SIGKILL", Reason.OUT_OF_MEMORY), 137),
        (Result(None, "SIGTERM", Reason.TIMED_OUT), 124),
        (Result(0, None, Reason.TIMED_OUT), 124),
        (Result(None, "SIGTERM", Reason.CANCELLED), 121),
        (Result(126, None, Reason.NOT_STARTED), 126),
        (Result(127, None, Reason.NOT_STARTED), 127),
        (Result(None, None, Reason.NOT_STARTED), 122),
        (Result(None, None, Reason.EXITED), 125),
    ],
)
def test_a_result_s_code(result: Result, code: int) -> None:
    assert of_job(a_job(result)) == code


@pytest.mark.parametrize(
    ("state", "code"),
    [(JobState.LOST, 120), (JobState.CANCELLED, 121), (JobState.EXPIRED, 122), (JobState.FINISHED, 122)],
)
def test_the_code_of_a_job_without_a_result(state: JobState, code: int) -> None:
    assert of_job(a_job(None, state)) == code


def test_of_several_the_verdict_counts_where_there_is_one() -> None:
    zero, one = Result(0, None, Reason.EXITED), Result(1, None, Reason.EXITED)

    assert of_jobs([a_job(zero), a_job(one, verdict=Verdict.SUCCEEDED)]) == 0
    assert of_jobs([a_job(zero), a_job(zero, verdict=Verdict.FAILED)]) == 1
    assert of_jobs([a_job(zero), a_job(one)]) == 1
