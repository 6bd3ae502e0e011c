"""`rota why`: what a job waits for."""

import click

from rota.cli.command import Command
from rota.cli.context import Settings
from rota.cli.output import marked
from rota.cli.terminal import printable


@click.command(cls=Command, examples=("rota why last", "rota why --json 0192f3a1 | jq -r '.reasons[].code'"))
@click.argument("job_id", metavar="ID")
@click.pass_obj
def command(settings: Settings, job_id: str) -> None:
    """Tell why a job waits: for a worker, for other jobs, for a time, for its turn.

    ID is an id, any unique beginning of one, a pasted address, or `last`. A job that does not wait has no reasons.
    """
    from rota.cli.job_ids import find  # noqa: PLC0415  (start-up time)

    out = settings.output()
    with settings.client() as client:
        found = find(client, job_id)
        why = client.why(found)
    if out.as_json:
        out.json(why)
        return
    out.data(f"{'job':12} {found}")
    out.data(f"{'state':12} {marked(why.state)}")
    for reason in why.reasons:
        out.data(f"{reason.code:12} {printable(reason.message)}")
    if not why.reasons:
        out.say(f"  nothing holds it back; see it with: rota show {found}")
