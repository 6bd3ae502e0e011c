"""`rota top`: workers, what runs and what waits, as it changes."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from rota.cli.command import Command, option
from rota.cli.context import Settings
from rota.cli.exit_codes import Code
from rota.cli.quantities import Duration

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.table import Table

    from rota.client import AsyncClient
    from rota.protocol.job import Job
    from rota.protocol.overview import Overview
    from rota.protocol.worker import Worker

ROWS_MAX = 200
"""Of each list, where nothing limits it; a terminal shows as many as it has lines for."""
EVERY_S = 1.0
SPARKS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Sight:
    """What there was to see at one moment."""

    overview: "Overview"
    workers: "Sequence[Worker]"
    running: "Sequence[Job]"
    queued: "Sequence[Job]"


@click.command(
    cls=Command,
    examples=("rota top", "rota top --every 5s", "rota top | cat        # once, as text", "rota top --json"),
)
@option("--every", metavar="S", type=Duration(), default=EVERY_S, show_default="1s", help="How often to look.")
@click.pass_context
def command(ctx: click.Context, *, every: float) -> None:
    """Show workers, running jobs and the queue, live.

    On a terminal it fills the screen until Ctrl-C. Into a pipe or a file, and with --json, it says once what it sees.
    """
    settings: Settings = ctx.obj
    out = settings.output()

    async def show() -> int:
        from rich.console import Console  # noqa: PLC0415  (start-up time)

        async with settings.async_client() as client:
            sight = await look(client)
            if out.as_json:
                out.json({name: getattr(sight, name) for name in ("overview", "workers", "running", "queued")})
                return Code.OK
            console = Console(no_color=not out.colours_out, highlight=False)
            if console.is_terminal:
                await live(client, console, sight, every)
            else:
                console.print(drawn(sight, ROWS_MAX))
        return Code.OK

    ctx.exit(asyncio.run(show()))


async def live(client: "AsyncClient", console: "Console", sight: Sight, every_s: float) -> None:
    """Fill the screen until Ctrl-C. While the server is away the last sight stays, and says so."""
    from rich.live import Live  # noqa: PLC0415  (start-up time)

    from rota.cli.watch import Interrupts  # noqa: PLC0415  (start-up time)
    from rota.client import NotReached  # noqa: PLC0415  (start-up time)
    from rota.protocol.problems import Unavailable  # noqa: PLC0415  (start-up time)

    away = ""
    with Interrupts() as interrupts, Live(console=console, screen=True, auto_refresh=False) as screen:
        while not interrupts.event.is_set():
            screen.update(drawn(sight, rows_for(console.height), away), refresh=True)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(interrupts.event.wait(), every_s)
                return
            try:
                sight, away = await look(client), ""
            except (NotReached, Unavailable):
                away = "the server cannot be reached; this is what was last seen"


async def look(client: "AsyncClient") -> Sight:
    """Ask for all of it at once."""

    async def in_state(state: str) -> "list[Job]":
        return [job.data async for job in client.jobs(ROWS_MAX, state=state)]

    return Sight(
        *await asyncio.gather(client.upkeep.overview(), client.workers(), in_state("running"), in_state("queued"))
    )


def rows_for(height: int) -> int:
    """How many rows each of the three tables may have, so that all of it is on the screen."""
    return max(1, (height - 12) // 3)


def drawn(sight: Sight, rows_max: int, away: str = "") -> "Group":
    """All of it."""
    from rich.console import Group  # noqa: PLC0415  (start-up time)
    from rich.text import Text  # noqa: PLC0415  (start-up time)

    head = Text.from_ansi(headline(sight.overview, len(sight.workers)))
    notes = [Text(f"! {away}", style="yellow")] if away else []
    return Group(
        head, *notes, workers_table(sight.workers, rows_max),
        jobs_table("Running", sight.running, sight.overview.running, rows_max),
        jobs_table("Queued", sight.queued, sight.overview.queued, rows_max),
    )  # fmt: skip


def headline(overview: "Overview", workers: int) -> str:
    """The last hour in a line."""
    succeeded = sum(period.succeeded for period in overview.periods)
    failed = sum(period.failed for period in overview.periods)
    ended = [period.succeeded + period.failed + period.cancelled for period in overview.periods]
    return (
        f"{click.style('Rota', bold=True)}  {workers} workers · {overview.running} running · {overview.queued} queued"
        f" · last hour: {click.style(f'{succeeded} succeeded', fg='green')}, "
        f"{click.style(f'{failed} failed', fg='red' if failed else None)}  {sparks(ended)}"
    )


def sparks(values: Sequence[int]) -> str:
    """The values as a row of bars, the highest as high as a line."""
    most = max(values, default=0)
    return "".join(SPARKS[round(value / most * (len(SPARKS) - 1))] if most else SPARKS[0] for value in values)


def workers_table(workers: "Sequence[Worker]", rows_max: int) -> "Table":
    """Who works, the busiest first."""
    from rota.cli.output import marked  # noqa: PLC0415  (start-up time)
    from rota.cli.terminal import printable  # noqa: PLC0415  (start-up time)

    table = titled("Workers", len(workers), rows_max, "NAME", "STATUS", "BUSY", "ENVIRONMENT")
    for worker in sorted(workers, key=lambda one: (one.free_slots - one.slots, one.name))[:rows_max]:
        busy = f"{worker.slots - worker.free_slots} of {worker.slots}"
        add(table, printable(worker.name), marked(worker.status), busy, printable(worker.environment))
    return table


def jobs_table(title: str, jobs: "Sequence[Job]", count: int, rows_max: int) -> "Table":
    """The newest of them."""
    from rota.cli.job_table import age, place_of, state_of, what  # noqa: PLC0415  (start-up time)

    now = datetime.now(UTC)
    table = titled(title, max(count, len(jobs)), rows_max, "JOB", "STATE", "AGE", "ENVIRONMENT", "ID")
    for job in jobs[:rows_max]:
        add(table, what(job), state_of(job), age(job, now), place_of(job), job.id)
    return table


def titled(title: str, count: int, rows_max: int, *columns: str) -> "Table":
    """An empty table; its title says how many there are, also where not all are shown."""
    from rich.table import Table  # noqa: PLC0415  (start-up time)

    shown = f"{title} {count}" + (f", {rows_max} of them shown" if count > rows_max else "")
    table = Table(title=shown, title_justify="left", box=None, pad_edge=False, header_style="dim", title_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, no_wrap=True, overflow="ellipsis", ratio=3 if index == 0 else None)
    table.expand = True
    return table


def add(table: "Table", *cells: str) -> None:
    """A row; a cell is text with colours, and no markup."""
    from rich.text import Text  # noqa: PLC0415  (start-up time)

    table.add_row(*(Text.from_ansi(cell) for cell in cells))
