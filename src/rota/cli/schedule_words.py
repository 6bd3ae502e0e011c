"""A schedule in words."""

from rota.cli.job_table import what_runs
from rota.cli.moments import say_moment
from rota.cli.output import Output, marked
from rota.cli.quantities import say_duration
from rota.cli.terminal import printable
from rota.protocol.schedule import LastRun, Schedule


def row(schedule: Schedule) -> list[str]:
    """A line of the table."""
    return [
        schedule.name,
        printable(when_due(schedule)),
        coming(schedule),
        "-" if schedule.last is None else how_it_went(schedule.last),
        str(schedule.counts.skipped),
        str(schedule.counts.missed),
        schedule.environment,
        what_runs(schedule.spec),
    ]


def when_due(schedule: Schedule) -> str:
    """`30 2 * * * Europe/Berlin`, `every 1 min 30 s`."""
    if schedule.every_s is not None:
        return f"every {say_duration(schedule.every_s)}"
    return f"{schedule.cron} {schedule.timezone}"


def coming(schedule: Schedule) -> str:
    """Its next time, as its zone's clock shows it."""
    if schedule.next_at is None:
        return "paused" if schedule.paused else "never"
    return say_moment(schedule.next_at, schedule.timezone)


def how_it_went(last: LastRun) -> str:
    """The verdict of its last job, or how far it has come."""
    return marked(str(last.verdict or last.state))


def write(out: Output, schedule: Schedule) -> None:
    """All of one."""
    if out.as_json:
        out.json(schedule)
        return
    counts, last = schedule.counts, schedule.last
    facts = {
        "schedule": schedule.name,
        "environment": schedule.environment,
        "when": printable(when_due(schedule)),
        "next": coming(schedule),
        "what": what_runs(schedule.spec),
        "overlap": str(schedule.overlap),
        "missed runs": str(schedule.missed),
        "runs": f"{counts.fired} fired, {counts.skipped} skipped, {counts.missed} missed",
    }
    if last is not None:
        due = "run by hand" if last.due_at is None else f"due {say_moment(last.due_at, schedule.timezone)}"
        facts["last"] = f"{how_it_went(last)}  {last.job_id}  {due}"
    if schedule.message is not None:
        facts["message"] = printable(schedule.message)
    for name, text in facts.items():
        out.data(f"{name:12} {text}")


def say_next(out: Output, times: list[str], timezone: str) -> None:
    """Coming times, one a line."""
    if out.as_json:
        out.json({"times": times})
        return
    for at in times:
        out.data(say_moment(at, timezone))
