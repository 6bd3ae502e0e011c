"""`rota worker`: a machine that asks for jobs."""

import os
import socket
from pathlib import Path

import click

from rota.cli.command import Command, option
from rota.cli.exit_codes import Code
from rota.cli.failure import Failure
from rota.cli.spec_options import pairs

MEBIBYTE = 1024 * 1024


@click.command(
    cls=Command,
    asks_server=False,
    prints_json=False,
    examples=(
        "ROTA_TOKEN=… rota worker --server https://rota.example.org",
        "rota worker --server https://rota.example.org --slots 4 --label site=lab --label gpu=yes",
    ),
)
@option("--server", metavar="URL", required=True, help="The server's address (the registry's, where it is apart).")
@option(
    "--token",
    metavar="TOKEN",
    help="An enrolment token (`rota env token`), for the first start. The worker's own "
    "credential is then kept in its work folder.",
)
@option("--name", metavar="NAME", help="Its name for people.", show_default="the host's name")
@option("--slots", metavar="N", type=click.IntRange(1), help="How many jobs at once.", show_default="one a CPU")
@option("--label", metavar="KEY=VALUE", multiple=True, help="What it has, for jobs that --require it. Repeatable.")
@option(
    "--work-dir",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Its folder: credential, jobs' folders, what is still to be reported.",
    show_default="below the user's data folder",
)
@option(
    "--log-size-bytes-max",
    metavar="N",
    type=click.IntRange(1),
    default=256 * MEBIBYTE,
    help="The longest log of a job; what is beyond is cut, with a mark, and the job goes on.",
)
@option(
    "--artifact-size-bytes-max",
    metavar="N",
    type=click.IntRange(1),
    default=10 * 1024 * MEBIBYTE,
    help="The largest file that a job may bring back; a larger one is told as a problem.",
)
@option("--insecure", is_flag=True, envvar="ROTA_INSECURE", help="Speak http:// to another machine too.")
@click.pass_context
def command(
    ctx: click.Context,
    *,
    server: str,
    token: str | None,
    name: str | None,
    slots: int | None,
    label: tuple[str, ...],
    work_dir: Path | None,
    log_size_bytes_max: int,
    artifact_size_bytes_max: int,
    insecure: bool,
) -> None:
    """Run a worker on this machine.

    It asks the server for jobs over connections that it opens itself, so nothing must be opened to it. SIGTERM lets
    it finish what runs and leave; a second SIGTERM stops the jobs.
    """
    import platformdirs  # noqa: PLC0415  (start-up time)

    from rota.worker.daemon import run  # noqa: PLC0415  (start-up time)
    from rota.worker.options import WorkerOptions, WrongOption, check_url  # noqa: PLC0415  (start-up time)

    name = name or socket.gethostname() or "worker"
    try:
        options = WorkerOptions(
            server_url=check_url(server, insecure=insecure),
            token=token,
            name=name,
            slots=slots or cpus(),
            labels=pairs("--label", label),
            work_dir=work_dir or Path(platformdirs.user_data_path("rota")) / "workers" / name.replace("/", "_"),
            insecure=insecure,
            log_size_bytes_max=log_size_bytes_max,
            artifact_size_bytes_max=artifact_size_bytes_max,
        )
    except WrongOption as wrong:
        raise Failure(str(wrong), "", Code.USAGE) from None
    ctx.exit(run(options))


def cpus() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
