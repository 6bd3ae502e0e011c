"""`rota bench`: what Rota does on this machine, next to what starting the same processes costs without it."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rota.cli.command import Command, option
from rota.cli.context import Settings
from rota.cli.failure import Failure
from rota.cli.output import Output
from rota.cli.stoppable import to_its_end

if TYPE_CHECKING:
    from rota.client import AsyncClient

PROGRAM = "true"
JOBS_MAX = 10_000
"""As many as one submission may hold. Source: protocol.md, "POST /api/v1/jobs"."""


@click.command(
    cls=Command,
    asks_server=False,
    examples=("rota bench", "rota bench --jobs 5000 --slots 64", "rota bench --json > this-machine.json"),
)
@option("--jobs", metavar="N", type=click.IntRange(1, JOBS_MAX), default=1000, help="How many jobs at once.")
@option("--slots", metavar="N", type=click.IntRange(1, 1000), default=32, help="How many the worker runs at a time.")
@option("--single", metavar="N", type=click.IntRange(1), default=100, help="How many jobs one after the other.")
@option("--rounds", metavar="N", type=click.IntRange(1), default=3, help="How often each is measured; medians count.")
@click.pass_context
def command(ctx: click.Context, *, jobs: int, slots: int, single: int, rounds: int) -> None:
    """Measure what Rota does on this machine.

    Starts a server and a worker as two processes, with all they write in a temporary folder; runs `true` as many
    jobs, at once and one after the other, and in turns with them as bare processes, which is the least that the same
    work costs here; ends both and removes the folder. Server, worker and jobs share this machine: with a worker of
    its own the server has more.
    """
    settings: Settings = ctx.obj
    out = settings.output()
    ctx.exit(asyncio.run(to_its_end(measure(out, jobs, slots, single, rounds), out)))


async def measure(out: Output, jobs: int, slots: int, single: int, rounds: int) -> None:
    """Set up, measure, tell, clear away. Raises Failure where a job does not succeed."""
    from rota.cli.children import Household  # noqa: PLC0415  (start-up time)
    from rota.cli.enrolment import bring_in_worker  # noqa: PLC0415  (start-up time)
    from rota.client import AsyncClient  # noqa: PLC0415  (start-up time)

    with tempfile.TemporaryDirectory(prefix="rota-bench-") as folder:
        async with Household(Path(folder), 0, slots, "bench-worker") as house:
            out.say("  starting a server and a worker")
            await house.start_server()
            await bring_in_worker(house)
            async with AsyncClient(house.address, house.token) as client:
                out.say(f"  {rounds} times: {jobs} jobs at once, {single} one after the other, bare processes between")
                await at_once(client, slots)  # what is done for the first time takes longer
                measured = [await one_round(client, jobs, single) for _ in range(rounds)]
    tell(out, jobs, slots, single, measured)


Round = dict[str, float]
"""By the names that --json has; rates a second, the rest seconds."""


async def one_round(client: "AsyncClient", jobs: int, single: int) -> Round:
    """Ours and bare, each right after the other."""
    rate, bare_rate = await at_once(client, jobs), await asyncio.to_thread(bare_at_once, jobs)
    ours = [await one(client) for _ in range(single)]
    bare = await asyncio.to_thread(lambda: [bare_one() for _ in range(single)])
    return {
        "jobs_per_s": rate, "bare_per_s": bare_rate, "throughput_ratio": rate / bare_rate,
        "p50_s": part_of(ours, 0.5), "bare_p50_s": part_of(bare, 0.5),
        "p50_ratio": part_of(ours, 0.5) / part_of(bare, 0.5),
        "p99_s": part_of(ours, 0.99), "bare_p99_s": part_of(bare, 0.99),
        "p99_ratio": part_of(ours, 0.99) / part_of(bare, 0.99),
    }  # fmt: skip


async def at_once(client: "AsyncClient", count: int) -> float:
    """Jobs a second, from before their submission until the last result is recorded."""
    began = time.monotonic()
    submitted = await client.submit_many([{"command": [PROGRAM]}] * count)
    last = await client.wait(submitted[-1].id)
    for state in ("queued", "assigned", "running"):
        async for job in client.jobs(state=state):
            await client.wait(job.id)
    took_s = time.monotonic() - began
    check(last.exit_code)
    return count / took_s


async def one(client: "AsyncClient") -> float:
    """Seconds from before one job's submission until its result is here."""
    began = time.monotonic()
    job = await client.submit(command=[PROGRAM])
    ended = await client.wait(job.id)
    took_s = time.monotonic() - began
    check(ended.exit_code)
    return took_s


def check(exit_code: int | None) -> None:
    """Raise Failure where a job has not done what it is for."""
    if exit_code != 0:
        raise Failure(f"A job that runs `{PROGRAM}` ended with exit code {exit_code}.", "Nothing was measured.")


def bare_at_once(count: int) -> float:
    """Processes a second, two at a time, their output and exit code kept."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  (start-up time)

    began = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: bare_one(), range(count)))
    return count / (time.monotonic() - began)


def bare_one() -> float:
    """Seconds of one process."""
    import subprocess  # noqa: PLC0415  (start-up time)

    began = time.monotonic()
    subprocess.run([PROGRAM], stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return time.monotonic() - began


def part_of(values: Sequence[float], part: float) -> float:
    """The value below which that part of them lies."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def tell(out: Output, jobs: int, slots: int, single: int, measured: list[Round]) -> None:
    """A table for people, medians and what they were made of; all rounds as JSON."""
    if out.as_json:
        out.json({"jobs": jobs, "slots": slots, "single": single, "rounds": measured})
        return

    def cells(ours: str, bare: str, ratio: str, show: Callable[[float], str]) -> list[str]:
        ratios = [one[ratio] for one in measured]
        spread = f"{statistics.median(ratios):.2f}  ({min(ratios):.2f} to {max(ratios):.2f})"
        return [*(show(statistics.median([one[name] for one in measured])) for name in (ours, bare)), spread]

    many = f"{jobs} x {PROGRAM}, {slots} slots"
    ms = "submission to result, one at a time"
    out.table(
        ("MEASURED", "ROTA", "BARE PROCESSES", "RATIO"),
        [
            [many, *cells("jobs_per_s", "bare_per_s", "throughput_ratio", lambda rate: f"{rate:,.0f}/s")],
            [f"{ms}, p50", *cells("p50_s", "bare_p50_s", "p50_ratio", lambda s: f"{s * 1000:.1f} ms")],
            [f"{ms}, p99", *cells("p99_s", "bare_p99_s", "p99_ratio", lambda s: f"{s * 1000:.1f} ms")],
        ],
    )
