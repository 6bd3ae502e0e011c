"""`rota doctor`: what is out of the ordinary on a server."""

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rota.cli.command import Command, option
from rota.cli.context import Settings
from rota.cli.exit_codes import Code
from rota.cli.output import BAD, GOOD, IDLE, Output
from rota.cli.own_folder import own_folder_options
from rota.cli.terminal import printable

if TYPE_CHECKING:
    from rota.client.upkeep import UpkeepCalls
    from rota.protocol.doctor import Finding, Findings

SHOWN = 3


@click.command(
    cls=Command,
    examples=(
        "rota doctor",
        "rota doctor --fix",
        "rota doctor --deep                     # reads every stored byte",
        "rota doctor --json | jq '.findings[].code'",
        "rota doctor --data /var/lib/rota       # while no server runs there",
    ),
)
@option("--fix", is_flag=True, help="Mend what is safe to mend, and say what was.")
@option("--deep", is_flag=True, help="Read all stored logs and artifacts and compare their digests.")
@own_folder_options("Look at this folder itself")
@click.pass_context
def command(ctx: click.Context, *, fix: bool, deep: bool, data: Path | None, blobs: str | None) -> None:
    """Tell what is out of the ordinary on a server, and mend it.

    It looks at leases, workers, the scheduler, databases, stored logs and artifacts, disks and clocks. Needs the token
    of an administrator of the whole server. Exit code: 0 where nothing is broken, or all that was has been mended; 1
    where a fault (✗) is left; notes (·) do not count.
    """
    settings: Settings = ctx.obj
    out = settings.output()
    if data is not None:
        from rota.data_folder import look_over  # noqa: PLC0415  (start-up time)

        found = look_over(data, blobs, fix=fix, deep=deep)
    else:
        found = asyncio.run(ask(settings, out, fix=fix, deep=deep))
    if out.as_json:
        out.json(found)
    else:
        tell(out, found)
    ctx.exit(Code.NOT_ALL_SUCCEEDED if any(is_fault(one) for one in found.findings) else Code.OK)


async def ask(settings: Settings, out: Output, *, fix: bool, deep: bool) -> "Findings":
    """Have the server look, and compare its clock with this machine's."""
    import msgspec  # noqa: PLC0415  (start-up time)

    async with settings.async_client() as client:
        told = await (client.upkeep.fix() if fix else client.upkeep.look())
        here_s = time.time()
        more = clocks(client.endpoint.server, told, here_s)
        if deep:
            more += await read_all(client.upkeep, out)
    looked_at = [*told.looked_at, "digests"] if deep else told.looked_at
    return msgspec.structs.replace(told, looked_at=looked_at, findings=[*more, *told.findings])


def clocks(server: str, told: "Findings", here_s: float) -> "list[Finding]":
    """The server's clock against this machine's; its `at` was read just before the answer came."""
    from rota.jobs.findings import clock_skew  # noqa: PLC0415  (start-up time)
    from rota.protocol.wire import parse_timestamp  # noqa: PLC0415  (start-up time)

    return clock_skew(server, parse_timestamp(told.at).timestamp() - here_s)


async def read_all(upkeep: "UpkeepCalls", out: Output) -> "list[Finding]":
    """Have it read all that is stored, some seconds at a time."""
    import msgspec  # noqa: PLC0415  (start-up time)

    blobs = size_bytes = 0
    found: list[Finding] = []
    cursor: str | None = None
    while True:
        read = await upkeep.read_blobs(cursor)
        blobs, size_bytes = blobs + read.blobs, size_bytes + read.size_bytes
        for more in read.findings:
            same = [one for one in found if one.code == more.code]
            found = [one for one in found if one.code != more.code]
            count = more.count + sum(one.count for one in same)
            examples = [*(example for one in same for example in one.examples), *more.examples][:10]
            message = f"{more.message.rpartition(':')[0]}: {count}."
            found.append(msgspec.structs.replace(more, count=count, examples=examples, message=message))
        cursor = read.next_cursor
        if cursor is None:
            return found
        out.say(f"  {blobs} blobs read, {size_bytes / 1e9:.1f} GB …")


def is_fault(finding: "Finding") -> bool:
    """Whether something is still broken."""
    return finding.level == "fault" and finding.is_left


def tell(out: Output, found: "Findings") -> None:
    """For a person: a mark and words, and what to do."""
    for finding in found.findings:
        mark, colour = (BAD, "red") if is_fault(finding) else (IDLE, "yellow")
        if not finding.is_left:
            mark, colour = GOOD, "green"
        out.data(f"{click.style(f'{mark} {finding.code}', fg=colour)}  {printable(finding.message)}")
        if finding.examples:
            shown = [printable(example) for example in finding.examples[:SHOWN]]
            out.data(f"    {', '.join(shown)}{', …' if finding.count > len(shown) else ''}")
        mended = f"mended: {finding.fixed}" if finding.fixed else ""
        out.data(f"    {mended or printable(finding.advice)}")
    if not found.findings:
        out.data(f"{click.style(f'{GOOD} nothing', fg='green')} is out of the ordinary ({', '.join(found.looked_at)})")
