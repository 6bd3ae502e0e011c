"""`rota flow`: what the participants really said to each other about a job."""

import shutil
import sys
from typing import get_args

import click

from rota.cli.command import Command, option
from rota.cli.context import Settings
from rota.cli.output import is_terminal

FORMS = ("text", "json", "plantuml", "mermaid")


@click.command(
    cls=Command,
    examples=(
        "rota flow last",
        "rota flow --format mermaid last > flow.mmd",
        "rota flow --json last | jq '.messages[].name'",
    ),
)
@click.argument("job_id", metavar="ID")
@option("--format", "form", type=click.Choice(FORMS), default="text", help="text draws a sequence diagram.")
@click.pass_obj
def command(settings: Settings, job_id: str, *, form: str) -> None:
    """Draw the messages that a job really caused.

    Solid arrows ask, dashed ones answer; an arrow that failed is red and marked ✗. Times count from the first message.
    ID is an id, any unique beginning of one, a pasted address, or `last`.
    """
    from rota.cli.draw_flow import draw  # noqa: PLC0415  (start-up time)
    from rota.cli.job_ids import find  # noqa: PLC0415  (start-up time)
    from rota.client.client import FlowFormat  # noqa: PLC0415  (start-up time)

    out = settings.output()
    with settings.client() as client:
        found = find(client, job_id)
        if out.as_json or form == "json":
            out.json(client.flow(found))
            return
        for drawn in get_args(FlowFormat):
            if form == drawn:
                out.data(client.flow_text(found, drawn).rstrip("\n"))
                return
        messages = client.flow(found).messages
    width = shutil.get_terminal_size().columns if is_terminal(sys.stdout) else None
    for line in draw(messages, width):
        out.data(line)
