"""`rota wait`: until jobs have ended."""

import asyncio

import click

from rota.cli.command import Command, option
from rota.cli.context import Settings
from rota.cli.exit_codes import Code, of_jobs
from rota.cli.outage import outage_option, outlasted
from rota.cli.quantities import Duration
from rota.protocol.job import Job
from rota.protocol.states import ENDED

AT_ONCE = 32
"""How many jobs are asked about at the same time; the others have ended meanwhile, or wait their turn."""
OVER = Code.WAIT_OVER


@click.command(
    cls=Command,
    examples=(
        "rota wait last",
        "rota wait 0192f3a1 0192f3a4           # exit 0 where all succeeded, else 1",
        "rota wait --timeout 10m last || echo 'not yet, or not well'",
    ),
)
@click.argument("job_ids", metavar="ID...", nargs=-1, required=True)
@option(
    "--timeout",
    "wait_timeout",
    metavar="S",
    type=Duration(),
    envvar="ROTA_WAIT_TIMEOUT",
    help="Stop waiting after this long; the jobs go on.",
)
@outage_option
@option("--quiet", "-q", is_flag=True, help="Say nothing; the exit code tells.")
@click.pass_context
def command(ctx: click.Context, job_ids: tuple[str, ...], *, wait_timeout: float | None, quiet: bool) -> None:
    """Wait until jobs have ended.

    ID is an id, any unique beginning of one, a pasted address, or `last`. Exit code: with one job its command's own
    (see `rota run --help`), with several 0 where all succeeded, else 1; 123 where --timeout ran out.
    """
    from rota.cli.failure import Failure  # noqa: PLC0415  (start-up time)
    from rota.cli.job_ids import find_async  # noqa: PLC0415  (start-up time)
    from rota.cli.job_words import closing_line  # noqa: PLC0415  (start-up time)

    settings: Settings = ctx.obj
    settings.quiet = settings.quiet or quiet
    out = settings.output()

    async def wait_for_all() -> int:
        async with settings.async_client() as client:
            ids = [await find_async(client, text) for text in job_ids]
            few = asyncio.Semaphore(AT_ONCE)

            async def wait_for(job_id: str) -> Job:
                async with few:
                    job = await client.job(job_id)  # a server that was never there is not waited for
                    with outlasted(client, settings, f"rota wait {' '.join(ids)}"):
                        if job.state in ENDED and not job.ended:
                            client.undecided.tell(job.data)
                        return (job if job.ended else await job.wait()).data

            try:
                async with asyncio.timeout(wait_timeout), asyncio.TaskGroup() as group:
                    waits = [group.create_task(wait_for(job_id)) for job_id in ids]
            except TimeoutError:
                raise Failure("The time to wait is over; the jobs go on.", "`rota list` shows them.", OVER) from None
            jobs = [wait.result() for wait in waits]
        if out.as_json:
            out.json(jobs[0] if len(jobs) == 1 else {"jobs": jobs})
        for job in jobs:
            out.say(closing_line(job) if len(jobs) == 1 else f"{job.id}{closing_line(job)}")
        return of_jobs(jobs)

    try:
        code = asyncio.run(wait_for_all())
    except BaseExceptionGroup as failures:  # one job's failure is the command's
        raise failures.exceptions[0] from None
    ctx.exit(code)
