"""`rota schedule`: jobs at times of a calendar, or every so often."""

import os
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import click

from rota.cli.command import Command, DefaultGroup, option
from rota.cli.context import Settings
from rota.cli.quantities import Duration
from rota.cli.schedule_words import row, say_next, write
from rota.cli.spec_options import WholeOptions, make_spec, spec_options
from rota.protocol.cron import cron_times, wrong_cron, wrong_zone
from rota.protocol.schedule import TIMES_MAX, Missed, Overlap
from rota.protocol.wire import timestamp

EXAMPLES = (
    "rota schedule",
    "rota schedule create nightly --cron '30 2 * * *' --timezone Europe/Berlin -- ./backup.sh",
    "rota schedule create poll --every 90s --overlap replace -- ./poll.sh",
    "rota schedule show nightly",
    "rota schedule next nightly -n 3",
    "rota schedule next --cron '0 9 * * MON-FRI' --timezone Europe/Berlin",
    "rota schedule edit nightly --cron '30 4 * * *'",
    "rota schedule pause nightly",
    "rota schedule resume nightly",
    "rota schedule run nightly",
    "rota schedule rm nightly",
)
SCHEDULES = "`rota schedule` shows the schedules there are."
WHOSE = "The environment whose schedule it is. [default: the only one that has it]"

name_of = click.argument("schedule", metavar="NAME")
whose = option("--environment", "-E", metavar="E", help=WHOSE)


@click.group(cls=DefaultGroup, default="list", examples=EXAMPLES[:2])
def command() -> None:
    """Schedules: jobs at times of a calendar, or every so often.

    A schedule makes a job of its spec whenever it is due. `rota list --schedule NAME` shows the jobs that it made.
    """


@command.command(name="list", cls=Command, examples=EXAMPLES[:1])
@option("--environment", "-E", metavar="E", help="Only in this environment.")
@option("--quiet", "-q", is_flag=True, help="Print names only.")
@click.pass_obj
def list_them(settings: Settings, *, environment: str | None, quiet: bool) -> None:
    """List schedules, each with its next time and its last job."""
    out = settings.output()
    with settings.client() as client:
        schedules = client.schedules.all(environment)
    if out.as_json:
        out.json({"schedules": schedules})
    elif quiet:
        for schedule in schedules:
            out.data(schedule.name)
    elif schedules:
        columns = ["NAME", "WHEN", "NEXT", "LAST", "SKIPPED", "MISSED", "ENVIRONMENT", "WHAT"]
        out.table(columns, [row(schedule) for schedule in schedules])
    else:
        out.say("No schedules.")


def when_options(function: Any) -> Any:  # noqa: ANN401  (click's decorators)
    """When the jobs are made."""
    for decorate in reversed(
        [
            option("--cron", metavar="EXPRESSION", help="Five fields: minute, hour, day of the month, month, day of "
                   "the week; or @hourly, @daily, @weekly, @monthly, @yearly."),
            option("--every", metavar="S", type=Duration(), help="Instead: every so often, at least 1s."),
            option("--timezone", metavar="ZONE", help="The zone whose clock --cron means, such as Europe/Berlin. "
                   "[default: UTC]"),
            option("--overlap", type=click.Choice([str(one) for one in Overlap]), help="While a job of it has not "
                   "ended, the next run is skipped, waits in line, or takes its place.", show_default="skip"),
            option("--missed", type=click.Choice([str(one) for one in Missed]), help="Of the runs that nobody was "
                   "there to start, make up none, one or all.", show_default="skip"),
        ]
    ):  # fmt: skip
        function = decorate(function)
    return function


def when(cron: str | None, every: float | None, **others: str | None) -> dict[str, Any]:
    """The fields that were given, by protocol's names."""
    fields = {"cron": cron, "every_s": every, **others}
    return {name: value for name, value in fields.items() if value is not None}


@command.command(cls=Command, examples=EXAMPLES[1:3])
@name_of
@when_options
@spec_options
@click.pass_obj
def create(
    settings: Settings,
    /,
    schedule: str,
    *,
    cron: str | None,
    every: float | None,
    timezone: str | None,
    overlap: str | None,
    missed: str | None,
    **options: Any,  # noqa: ANN401  (SpecOptions' arguments)
) -> None:
    """Make a schedule. Behind `--` stands what its jobs run.

    NAME is one of its environment. The jobs find it as ROTA_SCHEDULE, and in ROTA_DUE_AT the time that they were due
    at. The options about a job are those of `rota submit`.
    """
    out = settings.output()
    spec = make_spec(WholeOptions(**options), os.environ)
    fields = when(cron, every, timezone=timezone, overlap=overlap, missed=missed)
    with settings.client() as client:
        made = client.schedules.create(schedule, spec, **fields)
    write(out, made)


@command.command(cls=Command, examples=EXAMPLES[3:4], missing=SCHEDULES)
@name_of
@whose
@click.pass_obj
def show(settings: Settings, schedule: str, *, environment: str | None) -> None:
    """Show a schedule: when it is due, what it runs, and how its last job went."""
    out = settings.output()
    with settings.client() as client:
        found = client.schedules.get(schedule, environment)
    write(out, found)


@command.command(name="next", cls=Command, examples=EXAMPLES[4:6], missing=SCHEDULES)
@click.argument("schedule", metavar="[NAME]", required=False)
@option("--count", "-n", metavar="N", type=click.IntRange(1, TIMES_MAX), default=5, help="So many times.")
@option("--cron", metavar="EXPRESSION", help="Of this expression, which need not be a schedule's yet.")
@option("--timezone", metavar="ZONE", help="The zone whose clock --cron means. [default: UTC]")
@whose
@click.pass_obj
def next_times(
    settings: Settings,
    *,
    schedule: str | None,
    count: int,
    cron: str | None,
    timezone: str | None,
    environment: str | None,
) -> None:
    """Print when a schedule is due next, as the clock of its zone shows it."""
    out = settings.output()
    if (schedule is None) == (cron is None):
        raise click.UsageError("Give a schedule's NAME, or --cron: one of the two.", click.get_current_context())
    if schedule is not None:
        if timezone is not None:
            raise click.UsageError("--timezone: a schedule has its own; it goes with --cron.")
        with settings.client() as client:
            found = client.schedules.get(schedule, environment)
            times = client.schedules.times(schedule, found.environment, count=count)
        say_next(out, times, found.timezone)
        return
    for spelling, wrong in (("--cron", wrong_cron(cron or "")), ("--timezone", wrong_zone(timezone or "UTC"))):
        if wrong is not None:
            raise click.UsageError(f"{spelling}: {wrong}.", click.get_current_context())
    coming = islice(cron_times(cron or "", timezone or "UTC", datetime.now(UTC)), count)
    say_next(out, [timestamp(at) for at in coming], timezone or "UTC")


@command.command(cls=Command, examples=EXAMPLES[6:7], missing=SCHEDULES)
@name_of
@when_options
@spec_options
@click.pass_obj
def edit(
    settings: Settings,
    /,
    schedule: str,
    *,
    cron: str | None,
    every: float | None,
    timezone: str | None,
    overlap: str | None,
    missed: str | None,
    **options: Any,  # noqa: ANN401  (SpecOptions' arguments)
) -> None:
    """Change a schedule: what is given takes the place of what was; the rest stays.

    What its jobs run is given whole: all options about a job, and the command behind `--`. Another --cron, --every or
    --timezone counts from now on.
    """
    out = settings.output()
    fields = when(cron, every, timezone=timezone, overlap=overlap, missed=missed)
    others = {name: value for name, value in options.items() if value and name != "environment"}
    spec = make_spec(WholeOptions(**options), os.environ) if others else None
    if not fields and spec is None:
        raise click.UsageError("Say what is to be otherwise.", click.get_current_context())
    with settings.client() as client:
        changed = client.schedules.change(schedule, options["environment"], spec=spec, **fields)
    write(out, changed)


@command.command(cls=Command, examples=EXAMPLES[7:8], missing=SCHEDULES)
@name_of
@whose
@click.pass_obj
def pause(settings: Settings, schedule: str, *, environment: str | None) -> None:
    """Let no run be due until it is resumed; jobs that it made go on."""
    out = settings.output()
    with settings.client() as client:
        paused = client.schedules.pause(schedule, environment)
    if out.as_json:
        out.json(paused)
        return
    out.say(f"  {paused.name} is paused      again: rota schedule resume {paused.name}")


@command.command(cls=Command, examples=EXAMPLES[8:9], missing=SCHEDULES)
@name_of
@whose
@click.pass_obj
def resume(settings: Settings, schedule: str, *, environment: str | None) -> None:
    """Let runs be due again from now on; what was due meanwhile is not made up."""
    out = settings.output()
    with settings.client() as client:
        write(out, client.schedules.resume(schedule, environment))


@command.command(cls=Command, examples=EXAMPLES[9:10], missing=SCHEDULES)
@name_of
@whose
@click.pass_obj
def run(settings: Settings, schedule: str, *, environment: str | None) -> None:
    """Make a job of it now, and print the job's id. Its times stay as they are."""
    from rota.cli.job_ids import remember  # noqa: PLC0415  (start-up time)

    out = settings.output()
    with settings.client() as client:
        job = client.schedules.run(schedule, environment)
    remember(client.endpoint.server, job.id)
    if out.as_json:
        out.json(job)
        return
    out.data(job.id)
    out.say(f"  {job.state}      its log: rota logs -f last      its end: rota wait last")


@command.command(cls=Command, examples=EXAMPLES[10:], missing=SCHEDULES)
@name_of
@whose
@click.pass_obj
def rm(settings: Settings, schedule: str, *, environment: str | None) -> None:
    """Delete a schedule. Jobs that it made stay."""
    out = settings.output()
    with settings.client() as client:
        client.schedules.delete(schedule, environment)
    out.say(f"  deleted {schedule}")
