"""What `rota` exits with. Source: interface.md, "Exit codes of run and wait"; docs/reference lists them."""

import signal
from enum import IntEnum

from msgspec import UNSET

from rota.protocol.job import Job
from rota.protocol.job_finished import Reason, Result
from rota.protocol.states import JobState, Verdict

SIGNALED = 128
"""To this the number of the signal is added, as shells do."""


class Code(IntEnum):
    """Those that are Rota's own; 1 to 119 are the job's."""

    OK = 0
    NOT_ALL_SUCCEEDED = 1  # `wait` with several jobs; an array of which a part did not succeed
    USAGE = 2  # nothing was asked of any server
    NOT_FOUND = 3
    NOT_ALLOWED = 4  # no token, or not for this
    LOST = 120  # its worker vanished and no try is left
    CANCELLED = 121
    NEVER_STARTED = 122  # expired in the queue, or could not be started at all
    WAIT_OVER = 123  # the command line stopped waiting; the job goes on
    TIMED_OUT = 124  # the job ran longer than its timeout, as coreutils' timeout
    OUR_SIDE = 125  # server not reached, or it failed
    INTERRUPTED = 130  # Ctrl-C; the job goes on


def of_job(job: Job) -> int:
    """The code for one job that has ended: its command's own where it has one, of an array whether all succeeded."""
    if job.state is JobState.LOST:
        return Code.LOST
    if job.state is JobState.CANCELLED:
        return Code.CANCELLED
    if job.parts is not UNSET:
        return Code.OK if job.verdict is Verdict.SUCCEEDED else Code.NOT_ALL_SUCCEEDED
    if job.state is JobState.EXPIRED or job.result is None:
        return Code.NEVER_STARTED
    return of_result(job.result)


def of_result(result: Result) -> int:
    """The code for a result that a worker reported."""
    if result.reason is Reason.TIMED_OUT:
        return Code.TIMED_OUT
    if result.reason is Reason.CANCELLED:
        return Code.CANCELLED
    if result.signal is not None:
        return SIGNALED + signal_number(result.signal)
    if result.exit_code is not None:
        return result.exit_code & 0xFF
    return Code.NEVER_STARTED if result.reason is Reason.NOT_STARTED else Code.OUR_SIDE


def of_jobs(jobs: list[Job]) -> int:
    """One job: its own code; several: whether all succeeded."""
    if len(jobs) == 1:
        return of_job(jobs[0])
    return Code.OK if all(map(succeeded, jobs)) else Code.NOT_ALL_SUCCEEDED


def succeeded(job: Job) -> bool:
    """The scheduler's verdict; before there is one, whether the command exited with 0."""
    return job.verdict is Verdict.SUCCEEDED if job.verdict is not None else of_job(job) == Code.OK


def signal_number(name: str) -> int:
    """9 for SIGKILL; 0 for a name that this machine does not know."""
    return int(getattr(signal, name, 0)) if name.startswith("SIG") else 0
