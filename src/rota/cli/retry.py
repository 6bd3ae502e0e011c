"""`rota retry`: an ended job, once more."""

import asyncio

import click

from rota.cli.command import Command, option
from rota.cli.context import Settings
from rota.cli.exit_codes import Code
from rota.cli.outage import outage_option, outlasted


@click.command(cls=Command, examples=("rota retry last", "rota retry -d 0192f3a1", "rota retry --failed last"))
@click.argument("job_id", metavar="ID")
@option("--detach", "-d", is_flag=True, help="Come back at once; the job goes on.")
@option("--failed", is_flag=True, help="Of an array, the parts that failed and no others.")
@outage_option
@click.pass_context
def command(ctx: click.Context, job_id: str, *, detach: bool, failed: bool) -> None:
    """Run an ended job once more.

    It is a new attempt of the same job; its log is shown as `rota run` shows it. What it needed is not waited for
    again; an array is run whole, or its --failed parts. ID is an id, any unique beginning
    of one, a pasted address, or `last`. Exit code: as `rota run`.
    """
    from rota.cli.job_ids import find_async, remember  # noqa: PLC0415  (start-up time)
    from rota.cli.watch import Interrupts, Watch  # noqa: PLC0415  (start-up time)

    settings: Settings = ctx.obj
    out = settings.output()

    async def retry_and_watch() -> int:
        async with settings.async_client() as client:
            found = await find_async(client, job_id)
            job = await client.retry(found, only="failed" if failed else None)
            remember(client.endpoint.server, job.id)
            if detach:
                out.json(job.data) if out.as_json else out.data(job.id)
                return Code.OK
            with Interrupts() as interrupts, outlasted(client, settings, f"rota logs -f {found}"):
                return await Watch(client, out, "ask").to_its_end(job, interrupts)

    ctx.exit(asyncio.run(retry_and_watch()))
