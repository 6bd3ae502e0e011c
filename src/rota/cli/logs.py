"""`rota logs`: what a job has written, and writes."""

import asyncio
import contextlib
import tempfile

import click

from rota.cli.command import Command, option
from rota.cli.context import Settings
from rota.cli.exit_codes import Code
from rota.cli.outage import outage_option, outlasted

PIECE_SIZE_BYTES = 64 * 1024


@click.command(
    cls=Command,
    prints_json=False,
    missing="`rota show ID` shows a job's attempts, `rota list` the jobs.",
    examples=(
        "rota logs last",
        "rota logs -f 0192f3a1                 # from its first byte to its end",
        "rota logs --attempt 1 last | less -R",
    ),
)
@click.argument("job_id", metavar="ID")
@option("--follow", "-f", is_flag=True, help="Go on until the job has ended.")
@option("--attempt", metavar="N", type=click.IntRange(1), help="The log of this try; else of the newest.")
@outage_option
@click.pass_context
def command(ctx: click.Context, job_id: str, *, follow: bool, attempt: int | None) -> None:
    """Print what a job has written.

    Its stdout and stderr come in the order written. ID is an id, any unique beginning of one, a pasted address, or
    `last`.

    Into a pipe or a file the bytes go as they are; on a terminal colours stay, and what would move the cursor or
    write to the clipboard is left out. With -f a lost connection is taken up again, and Ctrl-C stops the looking,
    not the job.
    """
    from rota.cli.job_ids import find_async  # noqa: PLC0415  (start-up time)
    from rota.cli.watch import Interrupts, LogWriter, Watch  # noqa: PLC0415  (start-up time)

    if follow and attempt is not None:
        raise click.UsageError("--follow shows the newest attempt; leave --attempt out.", ctx)
    settings: Settings = ctx.obj
    out = settings.output()

    async def show() -> int:
        async with settings.async_client() as client:
            found = await find_async(client, job_id)
            if not follow:
                writer = LogWriter()
                with tempfile.TemporaryFile() as log:
                    await client.save_log(found, log, attempt)
                    while piece := log.read(PIECE_SIZE_BYTES):
                        writer.write(piece)
                writer.finish()
                return Code.OK
            job = await client.job(found)
            with Interrupts() as interrupts, outlasted(client, settings, f"rota logs -f {found}"):
                async with contextlib.aclosing(job.follow()) as stream:
                    whole = await Watch(client, out, "leave").show(job, stream, interrupts)
            return Code.OK if whole else Code.INTERRUPTED

    ctx.exit(asyncio.run(show()))
