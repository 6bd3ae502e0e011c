"""A job on one line of a table."""

import shlex
from datetime import datetime

from rota.cli.array_words import part_words, parts_of, progress
from rota.cli.exit_codes import Code, of_job
from rota.cli.output import marked
from rota.cli.quantities import say_duration
from rota.cli.terminal import printable
from rota.protocol.job import Job
from rota.protocol.spec import Spec
from rota.protocol.states import ENDED, JobState
from rota.protocol.wire import parse_timestamp


def state_of(job: Job) -> str:
    """Its state; the verdict, where there is one, says more."""
    return marked(str(job.verdict) if job.state is JobState.FINISHED and job.verdict else str(job.state))


def age(job: Job, now: datetime) -> str:
    """How long ago it was submitted."""
    return say_duration(max(0.0, (now - parse_timestamp(job.submitted_at)).total_seconds()))


def exit_of(job: Job) -> str:
    """Its exit code, or the signal that ended it."""
    if job.result is None or job.state not in ENDED:
        return "-"
    return job.result.signal or str(job.result.exit_code if job.result.exit_code is not None else Code(of_job(job)))


def place_of(job: Job) -> str:
    """Its environment."""
    return printable(job.environment or job.spec.environment or "default")


def what(job: Job) -> str:
    """What it runs, on one line; with how its parts fare, or which part it is."""
    text, parts, part = what_runs(job.spec), parts_of(job), part_words(job)
    return f"{text}  [{progress(parts)}]" if parts is not None else f"{text}  {part}".rstrip()


def what_runs(spec: Spec) -> str:
    """Its name, else its command or the script's first line."""
    lines = (spec.script or "").strip().splitlines()
    return printable(spec.name or (shlex.join(spec.command) if spec.command else (lines[0] if lines else "-")))
