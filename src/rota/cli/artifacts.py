"""`rota artifacts`: the files that a job brought back."""

from pathlib import Path

import click

from rota.cli.command import Command, DefaultGroup, option
from rota.cli.context import Settings
from rota.cli.quantities import say_size

EXAMPLES = (
    "rota artifacts last",
    "rota artifacts get last                    # all of them, below this folder",
    "rota artifacts get last out/report.txt -D /tmp",
)

MISSING = "`rota artifacts ID` lists a job's files, `rota list` the jobs."


@click.group(cls=DefaultGroup, default="list", alone=False, examples=EXAMPLES)
def command() -> None:
    """List the files that a job brought back, or fetch them.

    `rota artifacts ID` lists them, `rota artifacts get ID` fetches them.
    """


@command.command(name="list", cls=Command, examples=EXAMPLES[:1])
@click.argument("job_id", metavar="ID")
@option("--quiet", "-q", is_flag=True, help="Print paths only, as they are.")
@click.pass_obj
def list_them(settings: Settings, job_id: str, *, quiet: bool) -> None:
    """List a job's artifacts: size, digest, path."""
    from rota.cli.job_ids import find  # noqa: PLC0415  (start-up time)

    out = settings.output()
    with settings.client() as client:
        artifacts = client.artifacts(find(client, job_id))
    if out.as_json:
        out.json({"artifacts": artifacts})
    elif quiet:
        for artifact in artifacts:
            out.data(out.name(artifact.path))
    elif artifacts:
        out.table(["PATH", "SIZE", "SHA256"], [[out.name(a.path), say_size(a.size_bytes), a.sha256] for a in artifacts])
    else:
        out.say("No artifacts. Name files to bring back: rota run --artifact 'out/**' -- …")


@command.command(cls=Command, examples=EXAMPLES[1:], missing=MISSING)
@click.argument("job_id", metavar="ID")
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@option(
    "--directory",
    "-D",
    metavar="DIR",
    default=".",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder to fetch to.",
)
@click.pass_obj
def get(settings: Settings, job_id: str, paths: tuple[str, ...], *, directory: Path) -> None:
    """Fetch a job's artifacts: all below DIR under their own paths, or those named into DIR itself.

    Each file is verified against its sha256 and takes its place complete, or not at all. Prints where the files are.
    """
    from rota.cli.job_ids import find  # noqa: PLC0415  (start-up time)

    out = settings.output()
    with settings.client() as client:
        found = find(client, job_id)
        if paths:
            written = [client.download(found, path, directory) for path in paths]
        else:
            written = client.download_all(found, directory)
    if out.as_json:
        out.json({"files": [str(path) for path in written]})
        return
    for path in written:
        out.data(out.name(str(path)))
    if not written:
        out.say("No artifacts.")
