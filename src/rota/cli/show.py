"""`rota show`: one job on one screen."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
from msgspec import UNSET

from rota.cli.array_words import part_words, parts_of, progress
from rota.cli.command import Command
from rota.cli.context import Settings
from rota.cli.job_table import place_of, state_of, what
from rota.cli.job_words import how_it_ended, in_words, run_time_s, uncollected
from rota.cli.output import Output, marked
from rota.cli.quantities import say_duration, say_size
from rota.cli.terminal import printable
from rota.protocol.job import Artifact, Job
from rota.protocol.needs import need_of
from rota.protocol.states import ENDED, JobState
from rota.protocol.wire import encode

if TYPE_CHECKING:
    from rota.client import Client
    from rota.client import Job as BlockingJob

PARTS_SHOWN = 20
"""Of an array's parts, those that failed first."""


@click.command(cls=Command, examples=("rota show last", "rota show --json 0192f3a1 | jq .result.value"))
@click.argument("job_id", metavar="ID")
@click.pass_obj
def command(settings: Settings, job_id: str) -> None:
    """Show a job: its state, attempts, result and artifacts.

    ID is an id, any unique beginning of one, a pasted address, or `last`. `rota logs ID` prints what it wrote,
    `rota flow ID` draws what the participants said to each other.
    """
    from rota.cli.job_ids import find  # noqa: PLC0415  (start-up time)

    out = settings.output()
    with settings.client() as client:
        job = client.job(find(client, job_id)).data
        if out.as_json:
            out.json(job)
            return
        artifacts = client.artifacts(job.id)
        parts = [part.data for part in first_parts(client, job)]
    write(out, job, artifacts)
    for part in parts:
        ended = f"  {how_it_ended(part)}" if part.state in ENDED else ""
        out.data(f"{'part':12} {state_of(part)}  {part.id}  {part_words(part)}{ended}")
    counted = parts_of(job)
    if counted is not None and counted.total > len(parts):
        out.say(f"  {counted.total - len(parts)} more parts      all: rota list --parent {job.id}")


def first_parts(client: "Client", job: Job) -> "list[BlockingJob]":
    """Some of an array's parts: those that failed first, then what runs."""
    counted = parts_of(job)
    if counted is None:
        return []
    failed = list(client.jobs(PARTS_SHOWN, parent=job.id, verdict="failed")) if counted.failed else []
    left = PARTS_SHOWN - len(failed)
    return failed + (list(client.jobs(left, parent=job.id, state="running")) if left and counted.running else [])


def write(out: Output, job: Job, artifacts: list[Artifact]) -> None:
    """The screen."""
    for name, text in facts(job):
        out.data(f"{name:12} {text}")
    for attempt in job.attempts:
        reason = f"  {in_words(attempt.result)}" if attempt.result else ""
        number = f"attempt {attempt.number}"
        out.data(f"{number:12} {marked(attempt.state)}  on {printable(attempt.worker_id)}{reason}")
        for problem in attempt.problems:
            out.data(f"{'':12}   {uncollected(problem)}")
    for artifact in artifacts:
        out.data(f"{'artifact':12} {printable(artifact.path)}  {say_size(artifact.size_bytes)}")


def facts(job: Job) -> Iterator[tuple[str, str]]:
    """Its lines, a name and a text each."""
    yield "job", job.id
    yield "state", state_of(job)
    yield "what", what(job)
    if job.state in ENDED:
        yield "ended", how_it_ended(job)
    if job.message and (job.state not in ENDED or job.state is JobState.FINISHED):
        yield "why", printable(job.message)
    elif job.state in ENDED and not job.is_over:
        yield "why", "waits for the scheduler's word on what follows"
    duration_s = run_time_s(job)
    if duration_s is not None:
        yield "ran", say_duration(duration_s)
    if job.result is not None and job.result.usage.max_rss_bytes:
        usage = job.result.usage
        yield "used", f"{say_duration(usage.user_s + usage.system_s)} CPU, {say_size(usage.max_rss_bytes)} memory"
    yield from company(job)
    yield "environment", place_of(job)
    yield "submitted", f"{job.submitted_at} by {printable(job.submitted_by)}"
    if job.schedule is not None:
        yield "schedule", f"{printable(job.schedule)}, " + (f"due {job.due_at}" if job.due_at else "run by hand")
    if job.spec.tags:
        yield "tags", printable(" ".join(f"{key}={value}" for key, value in job.spec.tags.items()))
    if job.result is not None and job.result.value is not None:
        yield "value", printable(encode(job.result.value).decode())


def company(job: Job) -> Iterator[tuple[str, str]]:
    """Of the jobs that it has to do with: its parts, its array, those that it needs, its group."""
    parts = parts_of(job)
    if parts is not None:
        states = ", ".join(f"{getattr(parts, state)} {state}" for state in JobState if getattr(parts, state))
        yield "parts", f"{progress(parts)}: {states}"
    if job.parent_id is not UNSET:
        yield "part of", f"{job.parent_id}  {part_words(job)}"
    for need in map(need_of, job.spec.needs):
        yield "needs", f"{printable(need.job_id or '')}  {need.on}"
    if job.spec.concurrency is not None:
        yield "group", printable(job.spec.concurrency.group)
