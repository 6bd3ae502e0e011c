"""`rota env`: the places where workers run, and who may enter."""

from typing import Literal

import click

from rota.cli.command import Command, DefaultGroup, option
from rota.cli.context import Settings
from rota.cli.output import Output
from rota.cli.quantities import Duration
from rota.cli.spec_options import pairs
from rota.cli.terminal import printable
from rota.protocol.environment import Environment, TokenKind

EXAMPLES = (
    "rota env",
    "rota env create lab --label site=lab --auth basic",
    "rota env token lab --kind enrolment --uses 1 --expires 1h",
    "rota env credentials lab",
    "rota env revoke lab 0192f3a1-…",
    "rota env share lab physics=3 biology=1",
    "rota env token lab --kind submit --tenant physics",
)
DEFAULT = "default"
SHARE = "TENANT=WEIGHT"
ENVIRONMENTS = "`rota env` shows the environments there are."
CREDENTIALS = "`rota env credentials NAME` shows an environment's credentials, `rota env` the environments."


@click.group(cls=DefaultGroup, default="list", examples=EXAMPLES)
def command() -> None:
    """Environments: create them, issue and revoke their tokens.

    An environment is a named place where workers run. Workers enter it with an enrolment token; people and programs
    get tokens that submit, view or administer in it.
    """


@command.command(name="list", cls=Command, examples=EXAMPLES[:1])
@option("--quiet", "-q", is_flag=True, help="Print names only.")
@click.pass_obj
def list_them(settings: Settings, *, quiet: bool) -> None:
    """List environments, by name."""
    out = settings.output()
    with settings.client() as client:
        environments = client.environments()
    if out.as_json:
        out.json({"environments": environments})
    elif quiet:
        for environment in environments:
            out.data(environment.name)
    else:
        out.table(["NAME", "WORKER AUTH", "LABELS", "DESCRIPTION"], [row(one) for one in environments])


@command.command(cls=Command, examples=("rota env show default",), missing=ENVIRONMENTS)
@click.argument("name", default=DEFAULT)
@click.pass_obj
def show(settings: Settings, name: str) -> None:
    """Show an environment."""
    out = settings.output()
    with settings.client() as client:
        environment = client.environment(name)
    write(out, environment)


@command.command(cls=Command, examples=EXAMPLES[1:2])
@click.argument("name")
@option("--auth", type=click.Choice(["jwt", "basic"]), default="jwt", help="How its workers authenticate.")
@option("--label", metavar="KEY=VALUE", multiple=True, help="A label that all its workers bear. Repeatable.")
@option("--heartbeat", metavar="S", type=Duration(), help="How often its workers report.", show_default="10s")
@option(
    "--lease",
    metavar="S",
    type=Duration(),
    help="How long a job stays with a worker that is not heard.",
    show_default="30s",
)
@option("--description", metavar="TEXT", default="", help="Words for people.")
@option("--share", metavar=SHARE, multiple=True, help="How much a tenant gets, against others. Repeatable.")
@click.pass_obj
def create(
    settings: Settings,
    name: str,
    *,
    auth: Literal["jwt", "basic"],
    label: tuple[str, ...],
    heartbeat: float | None,
    lease: float | None,
    description: str,
    share: tuple[str, ...],
) -> None:
    """Create an environment. `rota env token NAME` then lets workers in."""
    out = settings.output()
    labels, shares = pairs("--label", label), weights("--share", share)
    with settings.client() as client:
        made = client.create_environment(
            name, auth, labels=labels, heartbeat_s=heartbeat, lease_s=lease, description=description, shares=shares
        )
    write(out, made)
    out.say(f"  a token for its workers: rota env token {made.name}")


@command.command(cls=Command, examples=EXAMPLES[5:6], missing=ENVIRONMENTS)
@click.argument("name")
@click.argument("shares", metavar=f"{SHARE}...", nargs=-1, required=True)
@click.pass_obj
def share(settings: Settings, name: str, shares: tuple[str, ...]) -> None:
    """Set how much a tenant gets of an environment's workers, against others that have jobs waiting.

    Tenants that are not named here stay as they are; who was never named counts 1.
    """
    out = settings.output()
    wanted = weights("share", shares)
    with settings.client() as client:
        changed = client.change_shares(name, {**client.environment(name).shares, **wanted})
    write(out, changed)


@command.command(cls=Command, examples=(*EXAMPLES[2:3], *EXAMPLES[6:]), missing=ENVIRONMENTS)
@click.argument("name", default=DEFAULT)
@option(
    "--kind",
    type=click.Choice([str(kind) for kind in TokenKind]),
    default="enrolment",
    help="enrolment makes workers; submit submits, follows, cancels; view reads; admin may all there.",
)
@option("--expires", metavar="S", type=Duration(), help="Ends it after this long.", show_default="never")
@option("--uses", metavar="N", type=click.IntRange(1), help="Ends it after so many workers.", show_default="any number")
@option("--note", metavar="TEXT", default="", help="Words for the list of credentials.")
@option("--tenant", metavar="TENANT", help="Who submits with it: all of one tenant share its turns.")
@click.pass_obj
def token(
    settings: Settings,
    name: str,
    *,
    kind: Literal["enrolment", "submit", "view", "admin"],
    expires: float | None,
    uses: int | None,
    note: str,
    tenant: str | None,
) -> None:
    """Issue a token for an environment, and print it, this once.

    The token goes to stdout and nothing else does, so that a script can take it.
    """
    out = settings.output()
    with settings.client() as client:
        made = client.create_credential(name, kind, expires_in_s=expires, uses=uses, note=note, tenant=tenant)
        is_here = made.kind is not TokenKind.ENROLMENT or out.as_json or client.has_registry()
    if out.as_json:
        out.json(made)
        return
    out.data(made.token)
    out.say(f"  {made.kind} for {name}, until {made.expires_at or 'it is revoked'}      id {made.credential_id}")
    if made.kind is TokenKind.ENROLMENT:
        server = client.endpoint.server if is_here else "REGISTRY"
        out.say(f"  on the worker's machine: ROTA_TOKEN=… rota worker --server {server}")
        if not is_here:
            out.say(f"  REGISTRY: the address of the WorkerRegistry, which is not at {client.endpoint.server}")


@command.command(cls=Command, examples=EXAMPLES[3:4], missing=ENVIRONMENTS)
@click.argument("name", default=DEFAULT)
@option("--quiet", "-q", is_flag=True, help="Print ids only.")
@click.pass_obj
def credentials(settings: Settings, name: str, *, quiet: bool) -> None:
    """List an environment's credentials that are not revoked, newest first, without their tokens."""
    out = settings.output()
    with settings.client() as client:
        listed = client.credentials(name)
    if out.as_json:
        out.json({"credentials": listed})
    elif quiet:
        for one in listed:
            out.data(one.credential_id)
    else:
        rows = [
            [
                one.credential_id,
                str(one.kind),
                one.created_at,
                one.expires_at or "never",
                "-" if one.uses_left is None else str(one.uses_left),
                one.tenant or "-",
                printable(one.note or one.worker_id or "-"),
            ]
            for one in listed
        ]
        out.table(["ID", "KIND", "CREATED", "EXPIRES", "USES LEFT", "TENANT", "NOTE"], rows)


@command.command(cls=Command, examples=EXAMPLES[4:5], missing=CREDENTIALS)
@click.argument("name")
@click.argument("credential_id", metavar="CREDENTIAL_ID")
@click.pass_obj
def revoke(settings: Settings, name: str, credential_id: str) -> None:
    """End a credential at once: whoever uses it is refused from the next call on."""
    out = settings.output()
    with settings.client() as client:
        client.revoke(name, credential_id)
    out.say(f"  revoked {credential_id}")


def weights(spelling: str, given: tuple[str, ...]) -> dict[str, float]:
    """`TENANT=WEIGHT` texts as a mapping; the server says which weights there are."""
    shares: dict[str, float] = {}
    for tenant, weight in pairs(spelling, given).items():
        try:
            shares[tenant] = float(weight)
        except ValueError:
            raise click.UsageError(f"{spelling}: `{tenant}={weight}` is not {SHARE}, such as physics=3.") from None
    return shares


def row(environment: Environment) -> list[str]:
    """A line of the table."""
    labels = " ".join(f"{key}={value}" for key, value in sorted(environment.labels.items()))
    return [
        environment.name,
        environment.worker_auth,
        printable(labels) or "-",
        printable(environment.description) or "-",
    ]


def write(out: Output, environment: Environment) -> None:
    """All of one."""
    if out.as_json:
        out.json(environment)
        return
    facts = dict(zip(["name", "worker auth", "labels", "description"], row(environment), strict=True))
    facts |= {"heartbeat": f"{environment.heartbeat_s:g} s", "lease": f"{environment.lease_s:g} s"}
    if environment.shares:
        facts["shares"] = " ".join(f"{tenant}={weight:g}" for tenant, weight in sorted(environment.shares.items()))
    for name, text in facts.items():
        out.data(f"{name:12} {text}")
