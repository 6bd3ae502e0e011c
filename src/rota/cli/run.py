"""`rota run`: a command on a worker as if it ran here: its output, its exit code."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rota.cli.command import Command, option
from rota.cli.context import Settings
from rota.cli.exit_codes import Code
from rota.cli.failure import Failure
from rota.cli.graph_options import with_ids_async
from rota.cli.outage import outage_option, outlasted
from rota.cli.spec_options import WholeOptions, make_spec, spec_options

if TYPE_CHECKING:
    from rota.client import AsyncClient, AsyncJob


@click.command(
    cls=Command,
    context_settings={"allow_interspersed_args": False},
    examples=(
        "rota run -- echo hello",
        "rota run --input build.sh -- sh build.sh       # its folder holds its --inputs, and nothing else",
        "rota run --input data.csv --artifact sorted.csv --fetch . -- sort -o sorted.csv data.csv",
        "rota run --require gpu=yes --env STAGE=test --timeout 1h30m -- sh -c 'echo $STAGE'",
        "rota run -d -- sleep 60                # print the id and come back at once",
        "rota run --array 1-100 --max-parallel 10 -- sh -c 'echo part $ROTA_ARRAY_INDEX'",
        "rota run --matrix os=linux,mac --matrix mode=fast,safe -- sh -c 'echo $ROTA_MATRIX_OS $ROTA_MATRIX_MODE'",
    ),
)
@spec_options
@outage_option
@option("--detach", "-d", is_flag=True, help="Print the id and come back; the job goes on.")
@option(
    "--fetch",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Fetch its artifacts below this folder when it has ended.",
)
@option(
    "--on-interrupt",
    type=click.Choice(["ask", "leave", "cancel"]),
    default="ask",
    help="What Ctrl-C does to the job; without a terminal to ask on, it is left running.",
)
@option("--quiet", "-q", is_flag=True, help="Only the job's own output; no closing line.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    detach: bool,
    fetch: Path | None,
    on_interrupt: str,
    quiet: bool,
    **options: Any,  # noqa: ANN401
) -> None:
    """Run a command on a worker, show its log, exit with its code.

    What the job writes to stdout and stderr comes to stdout, in the order written; Rota's own words go to stderr.
    A lost connection is taken up again and never looks like the job's end; a server that stays away is asked again
    for --outage-timeout, then the code is 125.

    Exit code: the command's own; 128+N where signal N ended it; 120 its worker was lost, 121 cancelled, 122 never
    started, 124 timed out, 125 the server was not reached or failed, 130 left running after Ctrl-C.
    """
    from rota.cli.job_ids import remember  # noqa: PLC0415  (start-up time)
    from rota.cli.watch import Interrupts, Watch  # noqa: PLC0415  (start-up time)

    settings: Settings = ctx.obj
    settings.quiet = settings.quiet or quiet
    out = settings.output()
    submitted: list[AsyncJob] = []

    async def submit_and_watch(spec: dict[str, Any]) -> int:
        async with settings.async_client() as client:
            watch = Watch(client, out, on_interrupt)
            with Interrupts() as interrupts:
                job = await watch.submitted(submit(client, spec), interrupts)
                submitted.append(job)
                remember(client.endpoint.server, job.id)
                if detach:
                    out.json(job.data) if out.as_json else out.data(job.id)
                    out.say("  goes on without you      its log: rota logs -f last      stop it: rota cancel last")
                    return Code.OK
                with outlasted(client, settings, f"rota logs -f {job.id}"):
                    code = await watch.to_its_end(job, interrupts)
            if fetch is not None and job.ended:
                for path in await job.download_all(fetch):
                    out.say(f"  fetched {path}")
            return code

    try:
        code = asyncio.run(submit_and_watch(checked(make_spec(WholeOptions(**options), os.environ), fetch)))
    except KeyboardInterrupt:
        raise interrupted(submitted[0].id if submitted else None) from None
    ctx.exit(code)


def checked(spec: dict[str, Any], fetch: Path | None) -> dict[str, Any]:
    """The spec. Raises click.UsageError where there is no one job to fetch from."""
    if fetch is not None and ("array" in spec or "matrix" in spec):
        raise click.UsageError("--fetch is for one job; `rota artifacts` fetches those of a part.")
    return spec


async def submit(client: "AsyncClient", spec: dict[str, Any]) -> "AsyncJob":
    """The job; others that the spec names are found first."""
    from rota.cli.job_ids import find_async  # noqa: PLC0415  (start-up time)

    return await client.submit(**await with_ids_async(spec, lambda text: find_async(client, text)))


def interrupted(job_id: str | None) -> Failure:
    """What Ctrl-C left behind where nobody watched a job: before it was submitted, or after its end."""
    if job_id is None:
        return Failure("Interrupted: no job was submitted.", "To run it, say the same again.", Code.INTERRUPTED)
    return Failure(
        f"Interrupted: the job {job_id} has ended, but not all its artifacts were fetched.",
        f"`rota artifacts get {job_id}` fetches them.",
        Code.INTERRUPTED,
    )
