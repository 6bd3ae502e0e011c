"""`rota restore`: a backup becomes a server's folder again."""

from pathlib import Path

import click

from rota.cli.backup import progress
from rota.cli.command import Command, option
from rota.cli.context import Settings
from rota.cli.output import GOOD
from rota.cli.quantities import say_size


@click.command(
    cls=Command,
    asks_server=False,
    examples=(
        "rota restore /var/lib/rota/backups/2026-11-24T062028Z --data /var/lib/rota-new",
        "rota server --data /var/lib/rota-new   # at the old address: the workers go on by themselves",
    ),
)
@click.argument("backup", metavar="BACKUP", type=click.Path(exists=True, file_okay=False, path_type=Path))
@option(
    "--data",
    metavar="DIR",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder to make. It must not be there yet, or be empty.",
)
@click.pass_obj
def command(settings: Settings, backup: Path, *, data: Path) -> None:
    """Make a data folder of a backup.

    Every byte is compared. What workers held when the backup was made is no longer theirs: those jobs are queued again,
    and what is reported of the old tries changes nothing. What was accepted after the backup is not there.
    """
    from rota.data_folder import restore  # noqa: PLC0415  (start-up time)

    out = settings.output()
    made = restore(backup.absolute(), data.absolute(), progress(out))
    if out.as_json:
        out.json(made)
        return
    out.data(str(data.absolute()))
    held = f"databases and {made.blobs} logs and artifacts, {say_size(made.size_bytes)}"
    out.say(f"  {GOOD} as it was at {made.made_at}: {held}")
    out.say(f"  start it: rota server --data {data.absolute()}")
