"""`rota webhook`: who is told of what happens."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rota.cli.command import Command, DefaultGroup, option
from rota.cli.context import Settings
from rota.cli.events import whole
from rota.cli.exit_codes import Code
from rota.cli.output import BAD, BUSY, GOOD, IDLE, Output
from rota.cli.terminal import printable

if TYPE_CHECKING:
    from rota.client.webhooks import WebhookCalls
    from rota.protocol.webhook import Delivery, Webhook

T = TypeVar("T")

EXAMPLES = (
    "rota webhook",
    "rota webhook create https://ci.example/rota --event 'job.*'",
    "rota webhook test 0192f3a1-…",
    "rota webhook deliveries 0192f3a1-… --state dead",
    "rota webhook redeliver 0192f3a1-… 0192f3b2-…",
    "rota webhook rm 0192f3a1-…",
)
MISSING = "`rota webhook` shows the webhooks there are, `rota webhook deliveries ID` a webhook's deliveries."
MARKS = {"waiting": IDLE, "delivered": GOOD, "dead": BAD}


@click.group(cls=DefaultGroup, default="list", examples=EXAMPLES)
def command() -> None:
    """Webhooks: URLs that are told of what happens, signed.

    Needs the token of an administrator; one of an environment has webhooks of that environment's events alone.
    """


@command.command(name="list", cls=Command, examples=EXAMPLES[:1])
@option("--quiet", "-q", is_flag=True, help="Print ids only.")
@click.pass_obj
def list_them(settings: Settings, *, quiet: bool) -> None:
    """List webhooks, by age."""
    out = settings.output()
    found = ask(settings, lambda webhooks: webhooks.all())
    if out.as_json:
        out.json({"webhooks": found})
    elif quiet:
        for one in found:
            out.data(one.webhook_id)
    else:
        rows = [
            [one.webhook_id, health(one), str(one.waiting), str(one.dead), printable(" ".join(one.events)),
             printable(one.url)]
            for one in found
        ]  # fmt: skip
        out.table(["ID", "STATE", "WAITING", "DEAD", "EVENTS", "URL"], rows)


@command.command(cls=Command, examples=("rota webhook show 0192f3a1-…",), missing=MISSING)
@click.argument("webhook_id", metavar="ID")
@click.pass_obj
def show(settings: Settings, webhook_id: str) -> None:
    """Show a webhook."""
    write(settings.output(), ask(settings, lambda webhooks: webhooks.webhook(webhook_id)))


@command.command(cls=Command, examples=EXAMPLES[1:2])
@click.argument("url")
@option("--event", "events", metavar="TYPE", multiple=True, required=True, envvar=None,
        help="What it is told of, such as job.finished or `job.*`. Repeatable.")  # fmt: skip
@option("--environment", "-e", metavar="NAME", help="Only what happens there.", show_default="the token's, or all")
@option("--description", metavar="TEXT", default="", envvar=None, help="Words for people.")
@option("--secret", metavar="WHSEC", envvar="ROTA_WEBHOOK_SECRET", help="Sign with this one.", show_default="a new one")
@click.pass_obj
def create(
    settings: Settings, url: str, *, events: tuple[str, ...], environment: str | None, description: str,
    secret: str | None,
) -> None:  # fmt: skip
    """Tell a URL of what happens from now on. Prints the secret that proves who sends, this once.

    The secret goes to stdout and nothing else does, so that a script can take it.
    """
    from rota.protocol.webhook import CreateWebhook  # noqa: PLC0415  (start-up time)

    out = settings.output()
    wanted = CreateWebhook(url, [whole(one) for one in events], secret, environment, description)
    made = ask(settings, lambda webhooks: webhooks.create(wanted))
    if out.as_json:
        out.json(made)
        return
    out.data(made.secret)
    out.say(f"  id {made.webhook_id}      try it: rota webhook test {made.webhook_id}")


@command.command(cls=Command, examples=EXAMPLES[2:3], missing=MISSING)
@click.argument("webhook_id", metavar="ID")
@click.pass_context
def test(ctx: click.Context, webhook_id: str) -> None:
    """Send a test to a webhook, and tell what came of it."""
    settings: Settings = ctx.obj

    async def try_it(webhooks: "WebhookCalls") -> "Delivery":
        made = await webhooks.test(webhook_id)
        return await webhooks.delivery(webhook_id, made.delivery_id)

    tell(ctx, settings.output(), ask(settings, try_it))


@command.command(cls=Command, examples=EXAMPLES[3:4], missing=MISSING)
@click.argument("webhook_id", metavar="ID")
@option("--state", type=click.Choice(["waiting", "delivered", "dead"]), envvar=None, help="Only these.")
@option("--limit", "-n", metavar="N", type=click.IntRange(1), default=50, envvar=None, help="At most so many.")
@option("--quiet", "-q", is_flag=True, help="Print ids only.")
@click.pass_obj
def deliveries(settings: Settings, webhook_id: str, *, state: str | None, limit: int, quiet: bool) -> None:
    """List what a webhook was told, or is to be told, newest first."""
    from rota.protocol.webhook import DeliveryState  # noqa: PLC0415  (start-up time)

    out = settings.output()
    only = None if state is None else DeliveryState(state)

    async def fetch(webhooks: "WebhookCalls") -> "list[Delivery]":
        return [one async for one in webhooks.deliveries(webhook_id, limit, only)]

    found = ask(settings, fetch)
    if out.as_json:
        out.json({"deliveries": found})
    elif quiet:
        for one in found:
            out.data(one.delivery_id)
    else:
        rows = [
            [one.delivery_id, f"{MARKS.get(one.state, BUSY)} {one.state}", str(one.tries), one.type, one.subject,
             printable(one.message or "-")]
            for one in found
        ]  # fmt: skip
        out.table(["ID", "STATE", "TRIES", "TYPE", "SUBJECT", "MESSAGE"], rows)


@command.command(cls=Command, examples=EXAMPLES[4:5], missing=MISSING)
@click.argument("webhook_id", metavar="ID")
@click.argument("delivery_id", metavar="DELIVERY_ID")
@click.pass_context
def redeliver(ctx: click.Context, webhook_id: str, delivery_id: str) -> None:
    """Send a delivery again, and tell what came of it."""
    settings: Settings = ctx.obj

    async def send(webhooks: "WebhookCalls") -> "Delivery":
        await webhooks.redeliver(webhook_id, delivery_id)
        return await webhooks.delivery(webhook_id, delivery_id)

    tell(ctx, settings.output(), ask(settings, send))


@command.command(cls=Command, examples=("rota webhook enable 0192f3a1-…",), missing=MISSING)
@click.argument("webhook_id", metavar="ID")
@click.pass_obj
def enable(settings: Settings, webhook_id: str) -> None:
    """Tell a disabled webhook again, or try at once what a failing one waits for."""
    write(settings.output(), ask(settings, lambda webhooks: webhooks.enable(webhook_id)))


@command.command(cls=Command, examples=EXAMPLES[5:], missing=MISSING)
@click.argument("webhook_id", metavar="ID")
@click.pass_obj
def rm(settings: Settings, webhook_id: str) -> None:
    """Delete a webhook, and what it was still to be told."""
    ask(settings, lambda webhooks: webhooks.delete(webhook_id))
    settings.output().say(f"  deleted {webhook_id}")


def ask(settings: Settings, question: "Callable[[WebhookCalls], Coroutine[Any, Any, T]]") -> T:
    """The answer to one question about webhooks."""

    async def asked() -> T:
        async with settings.async_client() as client:
            return await question(client.webhooks)

    return asyncio.run(asked())


def health(webhook: "Webhook") -> str:
    """A mark and a word."""
    if not webhook.enabled:
        return f"{BAD} disabled"
    return f"{BAD} failing" if webhook.failing_since else f"{GOOD} enabled"


def write(out: Output, webhook: "Webhook") -> None:
    """All of one."""
    if out.as_json:
        out.json(webhook)
        return
    facts = {
        "id": webhook.webhook_id,
        "state": health(webhook) + (f": {webhook.message}" if webhook.message else ""),
        "url": webhook.url,
        "events": " ".join(webhook.events),
        "environment": webhook.environment or "all",
        "description": webhook.description or "-",
        "created": webhook.created_at,
        "failing since": webhook.failing_since or "-",
        "deliveries": f"{webhook.waiting} waiting, {webhook.dead} dead",
    }
    for name, text in facts.items():
        out.data(f"{name:14} {printable(text)}")


def tell(ctx: click.Context, out: Output, delivery: "Delivery") -> None:
    """What came of a try; the exit code says it too."""
    good = delivery.state == "delivered"
    if out.as_json:
        out.json(delivery)
    elif good:
        out.say(f"  {GOOD} delivered: {delivery.status} after {delivery.duration_s or 0:g} s")
    else:
        why = delivery.message or "not sent yet: no scheduler has come for it"
        out.complain(f"  {MARKS.get(delivery.state, BUSY)} {delivery.state}: {printable(why)}")
    ctx.exit(Code.OK if good else Code.NOT_ALL_SUCCEEDED)
