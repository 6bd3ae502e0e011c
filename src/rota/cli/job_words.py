"""How a job went, in words."""

import shlex

import click

from rota.cli.array_words import parts_of, progress
from rota.cli.exit_codes import succeeded
from rota.cli.output import BAD, GOOD
from rota.cli.quantities import say_duration
from rota.cli.terminal import printable
from rota.protocol.job import Job
from rota.protocol.job_finished import Reason, Result, Uncollected
from rota.protocol.states import JobState
from rota.protocol.wire import parse_timestamp

NOT_EXECUTABLE = 126


def closing_line(job: Job) -> str:
    """`✗ exit 3 after 0.2 s      again: rota retry last      what happened: rota flow last`."""
    good = succeeded(job)
    mark = click.style(GOOD, fg="green") if good else click.style(BAD, fg="red")
    words = f"  {mark} {how_it_ended(job)}"
    duration_s = run_time_s(job)
    if duration_s is not None:
        words += f" after {say_duration(duration_s)}"
    if parts_of(job) is not None:
        return words if good else f"{words}      again: rota retry --failed last      which: rota show last"
    if job.message and job.state is JobState.FINISHED:
        words += f" ({printable(job.message)})"
    return words if good else f"{words}      again: rota retry last      what happened: rota flow last"


def not_executable(job: Job) -> str | None:
    """What to do where the command was one of the job's inputs, and had no executable bit there; else None."""
    command, code = job.spec.command, job.result.exit_code if job.result is not None else None
    if code != NOT_EXECUTABLE or not command:
        return None
    path = command[0].removeprefix("./")
    if path not in {one.path for one in job.spec.inputs}:
        return None
    name = shlex.quote(printable(path))
    return f"  an input comes without its executable bit; name what reads it: rota run --input {name} -- sh {name}"


def how_it_ended(job: Job) -> str:
    """`exit 3`, `killed by SIGKILL`, `timed out`, `lost: …`."""
    parts = parts_of(job)
    if parts is not None:
        if job.state is JobState.CANCELLED:
            return f"cancelled: {printable(job.message)}" if job.message else "cancelled"
        return progress(parts) if parts.failed else f"all {parts.total} parts succeeded"
    if job.state in {JobState.LOST, JobState.EXPIRED} or job.result is None:
        return f"{job.state}: {printable(job.message)}" if job.message else str(job.state)
    return in_words(job.result, job.message)


def in_words(result: Result, message: str | None = None) -> str:
    """`exit 3`, `killed by SIGKILL`, `timed out`. `message` says why it was cancelled."""
    words = {
        Reason.EXITED: f"exit {result.exit_code}",
        Reason.SIGNALED: f"killed by {result.signal}",
        Reason.TIMED_OUT: "timed out",
        Reason.CANCELLED: "cancelled",
        Reason.OUT_OF_MEMORY: "out of memory",
        Reason.NOT_STARTED: "not started",
    }[result.reason]
    said = result.message if result.reason in {Reason.NOT_STARTED, Reason.OUT_OF_MEMORY} else None
    if result.reason is Reason.CANCELLED:
        said = message
    return f"{words}: {printable(said).rstrip('.')}" if said else words


def uncollected(problem: Uncollected) -> str:
    """`not collected: artifact out/x: is no plain file`."""
    where = f" {printable(problem.path)}" if problem.path else ""
    return f"not collected: {problem.what}{where}: {printable(problem.message)}"


def run_time_s(job: Job) -> float | None:
    """Seconds that it ran, by its worker's clock."""
    if job.result is not None and job.result.usage.wall_s:
        return job.result.usage.wall_s
    last = job.attempts[-1] if job.attempts else None
    if last is None or last.started_at is None or last.finished_at is None:
        return None
    ran = parse_timestamp(last.finished_at) - parse_timestamp(last.started_at)
    return max(0.0, ran.total_seconds())  # a clock may have been set back meanwhile
