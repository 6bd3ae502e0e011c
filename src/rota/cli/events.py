"""`rota events`: what happened on a server, and what happens."""

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import click

from rota.cli.command import Command, option
from rota.cli.context import Settings
from rota.cli.exit_codes import Code
from rota.cli.outage import outage_option, outlasted
from rota.cli.output import Output, marked
from rota.cli.terminal import printable
from rota.protocol.event import PAGE_MAX, PREFIX, CloudEvent

if TYPE_CHECKING:
    from rota.client import AsyncClient

COUNT = 20


@click.command(
    cls=Command,
    missing="`rota list` shows the jobs there are.",
    examples=(
        "rota events                                       # the newest 20",
        "rota events -f --type job.decided                 # every verdict, as it falls",
        "rota events -f --job last",
        "rota events -f --after 5f3a9c1e-1042 --json       # go on behind an event, one JSON a line",
    ),
)
@option("--follow", "-f", is_flag=True, help="Go on until Ctrl-C.")
@option("--type", "types", metavar="TYPE", multiple=True, envvar=None,
        help="Only these, such as job.finished or `job.*`. Repeatable.")  # fmt: skip
@option("--job", "job_id", metavar="ID", envvar=None, help="Only those of this job.")
@option("--environment", "-e", metavar="NAME", help="Only those of this environment.")
@option("--after", metavar="EVENT", envvar=None,
        help="All behind this event; `oldest`: all that are kept; with --follow also `now`.")  # fmt: skip
@option("--number", "-n", metavar="N", type=click.IntRange(1, PAGE_MAX), default=COUNT, envvar=None,
        help="How many, where --after and --follow are left out.")  # fmt: skip
@outage_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    follow: bool,
    types: tuple[str, ...],
    job_id: str | None,
    environment: str | None,
    after: str | None,
    number: int,
) -> None:
    """Print what happened on a server, and what happens.

    Oldest first: the newest events, or all behind one. With -f it goes on as things happen; a lost connection is taken
    up again, and nothing is left out: where events are no longer kept, it says so and ends. With --json each event is
    a line of its own, a CloudEvent.
    """
    settings: Settings = ctx.obj
    out = settings.output()
    wanted = {"types": [whole(one) for one in types], "environment": environment}
    if follow:
        try:
            asyncio.run(follow_on(settings, out, wanted, job_id, after or "now"))
        except KeyboardInterrupt:
            ctx.exit(Code.INTERRUPTED)
    asyncio.run(show(settings, out, wanted, job_id, after, number))


def whole(kind: str) -> str:
    """`dev.rota.job.finished` for `job.finished`."""
    return kind if kind == "*" or kind.startswith(PREFIX) else PREFIX + kind


async def show(
    settings: Settings, out: Output, wanted: dict[str, Any], job: str | None, after: str | None, number: int
) -> None:
    """What happened."""
    async with settings.async_client() as client:
        wanted |= {"job_id": await found(client, job)}
        if after is None:
            for event in await client.past.last(number, **wanted):
                tell(out, event)
            return
        async with contextlib.aclosing(client.past.kept(**wanted, after=after)) as events:
            async for event in events:
                tell(out, event)


async def follow_on(settings: Settings, out: Output, wanted: dict[str, Any], job: str | None, after: str) -> None:
    """What happens, until Ctrl-C."""
    async with settings.async_client() as client:
        wanted |= {"job_id": await found(client, job)}
        stream = client.events(**wanted, after=after)
        try:
            with outlasted(client, settings, f"rota events -f --after {stream.position or after}"):
                async with contextlib.aclosing(stream):
                    async for event in stream:
                        tell(out, event)
        except asyncio.CancelledError:
            if stream.position is not None:
                out.say(f"  go on there: rota events -f --after {stream.position}")
            raise


async def found(client: "AsyncClient", job: str | None) -> str | None:
    """The job that is meant."""
    from rota.cli.job_ids import find_async  # noqa: PLC0415  (start-up time)

    return None if job is None else await find_async(client, job)


def tell(out: Output, event: CloudEvent) -> None:
    """A line."""
    if out.as_json:
        from rota.protocol.wire import encode  # noqa: PLC0415  (start-up time)

        out.data(encode(event).decode())
        return
    kind = printable(event.type.removeprefix(PREFIX))
    out.data(f"{printable(event.time)}  {kind:17}  {printable(event.subject)}  {facts(event)}".rstrip())


def facts(event: CloudEvent) -> str:
    """What else there is to say, in a few words."""
    data = event.data if isinstance(event.data, dict) else {}
    words = [str(data["name"])] if data.get("name") else []
    result = data.get("result")
    if isinstance(result, dict):
        code = result.get("exit_code")
        words.append(f"exit {code}" if code is not None else str(result.get("signal") or result.get("reason")))
    if data.get("message"):
        words.append(str(data["message"]))
    said = printable("  ".join(words))
    verdict = data.get("verdict")
    return f"{marked(str(verdict))}  {said}" if verdict else said
