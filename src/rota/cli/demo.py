"""`rota demo`: what Rota does, seen in under a minute; nothing of it stays."""

import asyncio
import tempfile
import time
from pathlib import Path

import click

from rota.cli.command import Command
from rota.cli.context import Settings
from rota.cli.output import GOOD, Output
from rota.cli.stoppable import to_its_end

SLOTS = 4


@click.command(cls=Command, asks_server=False, prints_json=False, examples=("rota demo",))
@click.pass_context
def command(ctx: click.Context) -> None:
    """See in under a minute what Rota does.

    Starts a server and a worker as two processes, with all they write in a temporary folder; runs two jobs on them,
    shows what the participants said to each other, ends both and removes the folder.
    """
    settings: Settings = ctx.obj
    out = settings.output()
    ctx.exit(asyncio.run(to_its_end(play(out), out)))


async def play(out: Output) -> None:
    """Set up, three acts, clear away."""
    from rota.cli import acts  # noqa: PLC0415  (start-up time)
    from rota.cli.children import Household  # noqa: PLC0415  (start-up time)
    from rota.cli.enrolment import bring_in_worker  # noqa: PLC0415  (start-up time)
    from rota.client import AsyncClient  # noqa: PLC0415  (start-up time)

    began = time.monotonic()
    tick = click.style(GOOD, fg="green")
    with tempfile.TemporaryDirectory(prefix="rota-demo-") as folder:
        async with Household(Path(folder), 0, SLOTS, "demo-worker") as house:
            for line in acts.OPENING:
                out.data(line)
            await house.start_server()
            out.data(f"  {tick} server   {house.address}      ready in {time.monotonic() - began:.1f} s")
            worker = await bring_in_worker(house)
            out.data(f"  {tick} worker   {worker.name}, {worker.slots} slots      it listens nowhere: it asks for jobs")
            async with AsyncClient(house.address, house.token) as client:
                await acts.a_job_that_works(out, client, Path(folder) / "fetched")
                failed = await acts.a_job_that_fails(out, client)
                await acts.what_they_said(out, failed)
    for line in acts.CLOSING:
        out.data(line)
    out.say(f"  {time.monotonic() - began:.0f} s in all")
