"""`rota backup`: a copy of a server that can be made a server again."""

import asyncio
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rota.cli.command import Command, option
from rota.cli.context import Settings
from rota.cli.exit_codes import Code
from rota.cli.failure import Failure
from rota.cli.output import BAD, GOOD, Output
from rota.cli.own_folder import own_folder_options
from rota.cli.quantities import say_size

if TYPE_CHECKING:
    from rota.protocol.backup import Backup

PROGRESS_AFTER_S = 1.0
PROGRESS_EVERY_S = 1.0
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


@click.command(
    cls=Command,
    examples=(
        "rota backup                            # called by the time of day; prints where it is",
        "rota backup before-upgrade",
        "rota backup --list",
        "rota backup --data /var/lib/rota /mnt/disk/rota-2026-11-24     # while no server runs there",
    ),
)
@click.argument("dest", metavar="[NAME]", required=False)
@option("--list", "list_them", is_flag=True, help="List the server's backups instead.")
@own_folder_options("Back up this folder itself, into the folder NAME")
@click.pass_context
def command(ctx: click.Context, dest: str | None, *, list_them: bool, data: Path | None, blobs: str | None) -> None:
    """Make a backup of a server while it works.

    The server writes it on its own machine, into the folder that ROTA_BACKUPS names there (`backups` in its data
    folder), and this prints where. It holds keys and tokens: keep it as safe as the server. `rota restore` makes a
    data folder of it. Needs the token of an administrator of the whole server.
    """
    settings: Settings = ctx.obj
    out = settings.output()
    if list_them and (data is not None or dest is not None):
        raise click.UsageError("--list lists the server's backups; leave the rest out.", ctx)
    if data is not None:
        from rota.data_folder import back_up  # noqa: PLC0415  (start-up time)

        made = back_up(data, Path(dest) if dest is not None else None, blobs, progress(out))
    elif list_them:
        show_all(out, asyncio.run(all_of(settings)))
        return
    else:
        made = asyncio.run(ask(settings, checked(dest), progress(out)))
    tell(out, made)
    ctx.exit(Code.NOT_ALL_SUCCEEDED if made.damaged else Code.OK)


def checked(name: str | None) -> str | None:
    """Raise Failure for a path: whoever has a token may not write anywhere on the server's machine."""
    if name is not None and not NAME.fullmatch(name):
        advice = "The server keeps its backups in one folder (ROTA_BACKUPS there). Write letters, digits, - and _."
        raise Failure(f"`{name}` is no name for a backup.", advice, Code.USAGE)
    return name


async def ask(settings: Settings, name: str | None, tell_progress: Callable[[int, int], None]) -> "Backup":
    """Begin it and wait for its end. Raises Failure where it was not made."""
    from rota.protocol.backup import BackupState  # noqa: PLC0415  (start-up time)

    async with settings.async_client() as client:
        backup = await client.upkeep.start_backup(name)
        while backup.state is BackupState.RUNNING:
            tell_progress(backup.done_bytes, backup.size_bytes)
            backup = await client.upkeep.backup(backup.name)
    if backup.state is not BackupState.WHOLE:
        why = backup.message or "The server ended while it was made; the next backup deletes what is there."
        raise Failure(f"The backup {backup.name} was not made. {why}", "`rota doctor` tells what is wrong.")
    return backup


async def all_of(settings: Settings) -> "list[Backup]":
    """The server's."""
    async with settings.async_client() as client:
        return await client.upkeep.backups()


def progress(out: Output) -> Callable[[int, int], None]:
    """Says once a second how far it is, from the first second on."""
    due_s = time.monotonic() + PROGRESS_AFTER_S

    def tell_progress(done_bytes: int, size_bytes: int) -> None:
        nonlocal due_s
        if time.monotonic() >= due_s and size_bytes:
            due_s = time.monotonic() + PROGRESS_EVERY_S
            out.say(f"  {done_bytes * 100 // size_bytes:3d} %   {say_size(done_bytes)} of {say_size(size_bytes)}")

    return tell_progress


def tell(out: Output, made: "Backup") -> None:
    """Where it is, on stdout; what is in it, on stderr."""
    if out.as_json:
        out.json(made)
        return
    out.data(made.folder)
    out.say(f"  {GOOD} whole: databases and {made.blobs} logs and artifacts, {say_size(made.size_bytes)}")
    if made.damaged:
        out.complain(f"  {BAD} {made.damaged} logs or artifacts were damaged before and are not in it: rota doctor")
    out.say(f"  back: rota restore {made.folder} --data DIR")


def show_all(out: Output, backups: "list[Backup]") -> None:
    """A row each."""
    if out.as_json:
        out.json({"backups": backups})
        return
    rows = [[one.name, str(one.state), one.made_at or "-", say_size(one.size_bytes), one.folder] for one in backups]
    out.table(["NAME", "STATE", "MADE", "SIZE", "FOLDER"], rows)
