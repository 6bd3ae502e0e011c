"""`rota workers`: the machines that ask for jobs."""

import click

from rota.cli.command import Command, DefaultGroup, option
from rota.cli.context import Settings
from rota.cli.exit_codes import Code
from rota.cli.failure import Failure
from rota.cli.output import marked
from rota.cli.quantities import say_size
from rota.cli.terminal import printable
from rota.protocol.worker import Worker

EXAMPLES = ("rota workers", "rota workers --json", "rota workers drain laptop-1")


@click.group(cls=DefaultGroup, default="list", examples=EXAMPLES)
def command() -> None:
    """List workers, or drain one.

    `rota workers` lists them. A drained worker finishes what it runs, takes no more jobs and leaves.
    """


@command.command(name="list", cls=Command, examples=EXAMPLES[:2])
@option("--quiet", "-q", is_flag=True, help="Print ids only.")
@click.pass_obj
def list_them(settings: Settings, *, quiet: bool) -> None:
    """List workers, by name."""
    out = settings.output()
    with settings.client() as client:
        workers = client.workers()
    if out.as_json:
        out.json({"workers": workers})
    elif quiet:
        for worker in workers:
            out.data(worker.worker_id)
    elif workers:
        columns = ["NAME", "STATUS", "SLOTS FREE", "ENVIRONMENT", "LABELS", "RESOURCES", "LAST SEEN", "ID"]
        out.table(columns, [row(worker) for worker in workers])
    else:
        out.say("No workers. Make a token (rota env token), then there: ROTA_TOKEN=TOKEN rota worker --server URL")


@command.command(cls=Command, examples=EXAMPLES[2:])
@click.argument("worker", metavar="NAME|ID")
@click.pass_obj
def drain(settings: Settings, worker: str) -> None:
    """Ask a worker to finish what it runs, to take no more jobs and to leave."""
    out = settings.output()
    with settings.client() as client:
        drained = client.drain(meant(worker, client.workers()))
    if out.as_json:
        out.json(drained)
        return
    runs = len(drained.attempts)
    out.say(f"  {printable(drained.name)} leaves when {runs} job{'' if runs == 1 else 's'} of it have ended")


def meant(text: str, workers: list[Worker]) -> str:
    """The id of the worker of this name, or whose id begins so. Raises Failure."""
    found = [w.worker_id for w in workers if w.worker_id == text] or [w.worker_id for w in workers if w.name == text]
    found = found or [w.worker_id for w in workers if w.worker_id.startswith(text)]
    if not found:
        raise Failure(f"There is no worker `{text}`.", "`rota workers` shows them.", Code.NOT_FOUND)
    if len(found) > 1:
        raise Failure(f"{len(found)} workers are meant by `{text}`.", "Give the id: `rota workers`.", Code.USAGE)
    return found[0]


def row(worker: Worker) -> list[str]:
    """A line of the table."""
    return [
        printable(worker.name),
        marked(worker.status),
        f"{worker.free_slots} of {worker.slots}",
        printable(worker.environment),
        printable(" ".join(f"{key}={value}" for key, value in sorted(worker.labels.items()))) or "-",
        printable(" ".join(offered(name, amount) for name, amount in worker.resources.items())) or "-",
        worker.last_seen_at or "never",
        worker.worker_id,
    ]


def offered(name: str, amount: float) -> str:
    """`cpus=8`, `memory=64.4 GB`."""
    return f"{name.removesuffix('_bytes')}={say_size(amount) if name.endswith('_bytes') else f'{amount:g}'}"
