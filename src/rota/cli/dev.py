"""`rota dev`: a server and a worker on this machine, like a database's embedded mode."""

import asyncio
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rota.cli.command import Command, option
from rota.cli.context import Settings
from rota.cli.output import GOOD, Output

if TYPE_CHECKING:
    from rota.cli.children import Household

PORT = 7682


@click.command(
    cls=Command,
    asks_server=False,
    prints_json=False,
    examples=("rota dev", "rota dev --port 7700 --data /tmp/rota --slots 2"),
)
@option("--port", metavar="N", type=click.IntRange(1, 65535), default=PORT, help="The port on 127.0.0.1.")
@option(
    "--data",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder to keep all in.",
    show_default="the user's data folder",
)
@option("--slots", metavar="N", type=click.IntRange(1), help="How many jobs at once.", show_default="one a CPU")
@click.pass_context
def command(ctx: click.Context, *, port: int, data: Path | None, slots: int | None) -> None:
    """Run a server and a worker on this machine, until Ctrl-C.

    Nobody else can reach them: they listen on this machine only. Jobs, logs and artifacts are kept in DIR and are
    there again at the next start. Ctrl-C gives what runs 3 s to end, then cancels it (SIGTERM, its grace, SIGKILL);
    a second one kills it. In another terminal `rota run -- echo hello` finds this server by itself (with
    --data: where ROTA_DATA names the same folder).
    """
    import platformdirs  # noqa: PLC0415  (start-up time)

    from rota.cli.children import check_port  # noqa: PLC0415  (start-up time)

    settings: Settings = ctx.obj
    folder = data or Path(platformdirs.user_data_path("rota"))
    check_port(port)
    folder.mkdir(parents=True, exist_ok=True)
    ctx.exit(asyncio.run(keep_house(settings.output(), folder.absolute(), port, slots, ours=data is None)))


async def keep_house(out: Output, folder: Path, port: int, slots: int | None, *, ours: bool) -> int:
    """Start both, wait for a signal or the end of one of them, end both. Returns the exit code."""
    from rota.cli.children import Household, died  # noqa: PLC0415  (start-up time)

    stop = asyncio.Event()
    stopping = asyncio.ensure_future(stop.wait())
    async with Household(folder, port, slots, f"{socket.gethostname() or 'worker'}-1") as house:
        house.say = out.say

        def obey() -> None:
            (house.hurry if stop.is_set() else stop).set()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, obey)
        starting = asyncio.ensure_future(start(out, house))
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            hint = "rota run -- echo hello" if ours else f"ROTA_DATA={folder} rota run -- echo hello"
            out.data(f"  Try:   {hint}            Stop: Ctrl-C (jobs are kept; what runs then is cancelled)")
        ended = asyncio.ensure_future(house.ended())
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            raise died(ended.result())
        for task in (starting, ended):
            task.cancel()
        await asyncio.gather(starting, ended, return_exceptions=True)
        out.say("  stopping: the worker, then the server")
    return 0


async def start(out: Output, house: "Household") -> None:
    """Start both and tell what is there. Raises Failure."""
    from rota.cli.enrolment import bring_in_worker  # noqa: PLC0415  (start-up time)

    began = time.monotonic()
    tick = click.style(GOOD, fg="green")
    await house.start_server()
    out.data(f"  {tick} database  {short(house.folder / 'rota.db')} (SQLite)")
    out.data(f"  {tick} server    {house.address}        ready in {time.monotonic() - began:.1f} s")
    worker = await bring_in_worker(house)
    out.data(f"  {tick} worker    {worker.name}   {worker.slots} slot{'' if worker.slots == 1 else 's'}")


def short(path: Path) -> str:
    """The path as its owner writes it."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
