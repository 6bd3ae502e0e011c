"""A server that goes away while a command watches a job: told once, outlasted, and in the end given up."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rota.cli.command import option
from rota.cli.context import OUTAGE_S, Settings
from rota.cli.failure import Failure
from rota.cli.quantities import Duration, say_duration
from rota.cli.terminal import printable
from rota.protocol.job import Job
from rota.protocol.problems import RateLimited, Unavailable

if TYPE_CHECKING:
    from rota.client import AsyncClient

F = TypeVar("F", bound=Callable[..., Any])


def keep(ctx: click.Context, _param: click.Parameter, value: float) -> None:
    """The option's value is a setting."""
    ctx.ensure_object(Settings).outage_s = value


def outage_option(function: F) -> F:
    """Adds --outage-timeout to a command that watches jobs."""
    return option(
        "--outage-timeout",
        metavar="S",
        type=Duration(),
        default=OUTAGE_S,
        show_default="10m",
        expose_value=False,
        callback=keep,
        help="How long to go on asking a server that went away meanwhile; the job goes on without it.",
    )(function)


@contextmanager
def outlasted(client: "AsyncClient", settings: Settings, again: str) -> Iterator[None]:
    """Say once that the server is away, and once that it is back. Raises Failure where it stays away too long.

    `again` is what to type when it is back.
    """
    from rota.client.transport import NotReached  # noqa: PLC0415  (start-up time)

    out, server, bound = settings.output(), client.endpoint.server, say_duration(settings.outage_s)

    def tell(why: str | None) -> None:
        if why is None:
            out.say(f"  {server} is back")
        else:
            out.say(f"  {server} is away ({printable(why)}); asking it again for up to {bound}; the job goes on")

    told: set[str] = set()

    def undecided(job: Job) -> None:
        if job.id not in told:
            told.add(job.id)
            out.say(f"  {job.id} has ended; it waits for the scheduler's word on what follows")

    client.outage.tell = tell
    client.undecided.tell = undecided
    try:
        yield
    except (NotReached, Unavailable, RateLimited):
        if not client.outage.is_on:
            raise
        raise Failure(
            f"The server {server} was away for {bound} and is not asked any more.",
            f"The job goes on. When the server is back: {again}      To wait longer: --outage-timeout",
        ) from None
