"""`rota list`: jobs, newest first."""

from datetime import UTC, datetime

import click

from rota.cli.command import Command, option
from rota.cli.context import Settings
from rota.cli.job_table import age, exit_of, place_of, state_of, what
from rota.cli.quantities import read_duration
from rota.cli.spec_options import pairs
from rota.cli.terminal import printable
from rota.protocol.states import ENDED, JobState, Verdict
from rota.protocol.wire import parse_timestamp, timestamp

LIMIT = 20
TOLD_MAX = 5
"""Of so many jobs that have not ended it is told why they do not go on."""


@click.command(
    cls=Command,
    examples=(
        "rota list",
        "rota list --state running --state queued",
        "rota list --verdict failed --since 2h",
        "rota list --parent last                # the parts of an array",
        "rota list --schedule nightly",
        "rota cancel $(rota list -q --tag run=42)",
    ),
)
@option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([str(s) for s in JobState]),
    envvar="ROTA_STATE",
    help="Only in this state. Repeatable.",
)
@option("--verdict", type=click.Choice([str(v) for v in Verdict]), help="Only with this verdict.")
@option("--environment", "-E", metavar="E", help="Only in this environment.")
@option("--name", metavar="NAME", help="Only of this name.")
@option("--tag", metavar="KEY=VALUE", help="Only with this tag.")
@option("--schedule", metavar="NAME", help="Only runs of this schedule.")
@option("--since", metavar="TIME", help="Only submitted after this: a time (RFC 3339), or how long ago (2h).")
@option("--parent", metavar="ID", help="Only the parts of this array.")
@option(
    "--parts",
    is_flag=True,
    help="The parts of arrays too; without, an array is one line, unless --state or --verdict asks for something.",
)
@option("--limit", "-n", metavar="N", type=click.IntRange(1), default=LIMIT, help="At most so many.")
@option("--quiet", "-q", is_flag=True, help="Print ids only.")
@click.pass_obj
def command(
    settings: Settings, /, *, states: tuple[str, ...], parts: bool, limit: int, quiet: bool, **filters: str | None
) -> None:
    """List jobs, newest first.

    A table where a person looks; in a pipe nothing is cut off.
    """
    from rota.cli.job_ids import find  # noqa: PLC0415  (start-up time)

    out = settings.output()
    given = {key: value for key, value in filters.items() if value is not None}
    if "tag" in given:
        [(key, value)] = pairs("--tag", [given["tag"]]).items()
        given["tag"] = f"{key}:{value}"
    if "since" in given:
        given["submitted_after"] = moment(given.pop("since"))
    with settings.client() as client:
        if "parent" in given:
            given["parent"] = find(client, given["parent"])
        elif not parts and not states and "verdict" not in given:
            given["parts"] = "false"
        jobs = [
            job.data
            for state in (states or [None])
            for job in client.jobs(limit, **{**given, **({"state": state} if state else {})})
        ]
    jobs = sorted(jobs, key=lambda job: job.id, reverse=True)[:limit] if len(states) > 1 else jobs
    if out.as_json:
        out.json({"jobs": jobs, "next_cursor": None})
    elif quiet:
        for job in jobs:
            out.data(job.id)
    elif jobs:
        now = datetime.now(UTC)
        rows = [[job.id, state_of(job), age(job, now), exit_of(job), place_of(job), what(job)] for job in jobs]
        out.table(["ID", "STATE", "AGE", "EXIT", "ENVIRONMENT", "WHAT"], rows)
        for job in [job for job in jobs if job.message and job.state not in ENDED][:TOLD_MAX]:
            out.say(f"  {job.id} {job.state}: {printable(job.message or '')}")
    else:
        out.say("No jobs." if not given.keys() - {"parts"} and not states else "No such jobs.")


def moment(text: str) -> str:
    """The time that is meant, as the wire has it. Raises click.UsageError."""
    ago_s = read_duration(text.removeprefix("-"))
    try:
        at = (
            parse_timestamp(text)
            if ago_s is None
            else datetime.fromtimestamp(datetime.now(UTC).timestamp() - ago_s, UTC)
        )
    except (ValueError, OverflowError, OSError):
        raise click.UsageError(f"--since: `{text}` is no time (2026-11-23T12:00:00Z) and no duration (2h).") from None
    return timestamp(at)
