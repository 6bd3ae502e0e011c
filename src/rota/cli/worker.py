"""`rota worker`: a machine that asks for jobs."""

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from rota.cli.command import Command, option
from rota.cli.enrolment_token import enrolment_token
from rota.cli.exit_codes import Code
from rota.cli.failure import Failure
from rota.cli.placement_options import resources
from rota.cli.spec_options import pairs

MEBIBYTE = 1024 * 1024


@click.command(
    cls=Command,
    asks_server=False,
    prints_json=False,
    examples=(
        "ROTA_TOKEN=… rota worker --server https://rota.example.org",
        "rota worker --server https://rota.example.org --token-file /run/secrets/rota",
        "rota worker --server https://rota.example.org --slots 4 --label site=lab --label gpu=a100 --resource gpus=2",
    ),
)
@option("--server", metavar="URL", required=True, help="The server's address (the registry's, where it is apart).")
@option(
    "--token",
    metavar="TOKEN",
    help="An enrolment token (`rota env token`), for the first start; better in the variable or a file, as others "
    "see command lines. The worker's own credential is then kept in its work folder.",
)
@option("--token-file", metavar="FILE", help="Read the enrolment token from this file's first line; - is stdin.")
@option("--name", metavar="NAME", help="Its name for people.", show_default="the host's name")
@option("--slots", metavar="N", type=click.IntRange(1), help="How many jobs at once.", show_default="one a CPU")
@option("--label", metavar="KEY=VALUE", multiple=True, help="What it has, for jobs that --require it. Repeatable.")
@option(
    "--resource",
    metavar="NAME=AMOUNT",
    multiple=True,
    help="What it offers to jobs that ask for so much of it: gpus=2, memory_bytes=60GiB, licences=5; cpus and "
    "memory_bytes are found out where they are not said. Repeatable.",
)
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
    envvar="ROTA_WORKER_LOG_SIZE_BYTES_MAX",
    type=click.IntRange(1),
    default=256 * MEBIBYTE,
    help="The longest log of a job; what is beyond is cut, with a mark, and the job goes on.",
)
@option(
    "--artifact-size-bytes-max",
    metavar="N",
    envvar="ROTA_WORKER_ARTIFACT_SIZE_BYTES_MAX",
    type=click.IntRange(1),
    default=10 * 1024 * MEBIBYTE,
    help="The largest file that a job may bring back; a larger one is told as a problem.",
)
@option(
    "--disk-free-bytes-min",
    metavar="N",
    envvar="ROTA_WORKER_DISK_FREE_BYTES_MIN",
    type=click.IntRange(0),
    default=256 * 1024,
    help="With less room in its folder it asks for no job; 0: no such mark.",
)
@option(
    "--spool-size-bytes-max",
    envvar="ROTA_WORKER_SPOOL_SIZE_BYTES_MAX",
    metavar="N",
    type=click.IntRange(1),
    default=50 * 1024 * MEBIBYTE,
    help="With so many bytes of logs and artifacts that the server has not received yet, it asks for no more jobs.",
)
@option("--insecure", is_flag=True, envvar="ROTA_INSECURE", help="Speak http:// to another machine too.")
@click.pass_context
def command(
    ctx: click.Context,
    *,
    server: str,
    token: str | None,
    token_file: str | None,
    name: str | None,
    slots: int | None,
    label: tuple[str, ...],
    resource: tuple[str, ...],
    work_dir: Path | None,
    log_size_bytes_max: int,
    artifact_size_bytes_max: int,
    disk_free_bytes_min: int,
    spool_size_bytes_max: int,
    insecure: bool,
) -> None:
    """Run a worker on this machine.

    It asks the server for jobs over connections that it opens itself, so nothing must be opened to it. SIGTERM lets
    it finish what runs and leave; a second SIGTERM stops the jobs.
    """
    import platformdirs  # noqa: PLC0415  (start-up time)

    from rota.worker.daemon import run  # noqa: PLC0415  (start-up time)
    from rota.worker.options import WorkerOptions, WrongOption, check_url  # noqa: PLC0415  (start-up time)

    typed = {word for word in ("token", "token_file") if ctx.get_parameter_source(word) is ParameterSource.COMMANDLINE}
    if len(typed) > 1:
        raise click.UsageError("Give --token or --token-file, one of the two.", ctx)
    name = name or socket.gethostname() or "worker"
    try:
        options = WorkerOptions(
            server_url=check_url(reachable(server), insecure=insecure),
            token=enrolment_token(token, None if "token" in typed else token_file),
            name=name,
            slots=slots or cpus(),
            labels=pairs("--label", label),
            work_dir=work_dir or Path(platformdirs.user_data_path("rota")) / "workers" / name.replace("/", "_"),
            resources=offered(resource),
            insecure=insecure,
            log_size_bytes_max=log_size_bytes_max,
            artifact_size_bytes_max=artifact_size_bytes_max,
            disk_free_bytes_min=disk_free_bytes_min,
            spool_size_bytes_max=spool_size_bytes_max,
        )
    except WrongOption as wrong:
        what, _, advice = str(wrong).partition("; ")
        raise Failure(f"{what}.", f"{advice[:1].upper()}{advice[1:]}.", Code.USAGE) from None
    ctx.exit(run(options))


def reachable(server: str) -> str:
    """The same address. Raises WrongOption where it cannot be split into a host and a port."""
    from rota.worker.options import WrongOption  # noqa: PLC0415  (start-up time)

    try:
        fits = urlsplit(server).port != 0  # what cannot be a port raises
    except ValueError:
        fits = False
    if not fits or not server.isprintable() or " " in server:
        raise WrongOption(f"`{server}` is no address of a server; give one such as https://rota.example.org")
    return server


def offered(resource: Sequence[str]) -> dict[str, int | float]:
    """What is said, and what is found out beside it."""
    from rota.worker import machine  # noqa: PLC0415  (start-up time)

    return {**machine.found(), **resources({}, "--resource", resource, is_asked=False)}


def cpus() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
