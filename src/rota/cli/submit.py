"""`rota submit`: the job's id, and back."""

import os
from typing import Any

import click

from rota.cli.command import Command, option
from rota.cli.context import Settings
from rota.cli.spec_options import SpecOptions, make_spec, spec_options


@click.command(
    cls=Command,
    context_settings={"allow_interspersed_args": False},
    examples=(
        "rota submit -- sleep 60",
        "rota submit --require gpu=yes --timeout 2h --input build.sh --artifact 'out/**' -- sh build.sh",
        "ID=$(rota submit --script build.sh) && rota wait $ID",
    ),
)
@spec_options
@option("--quiet", "-q", is_flag=True, help="Print the id only; nothing on stderr.")
@click.pass_obj
def command(settings: Settings, /, *, quiet: bool, **options: Any) -> None:  # noqa: ANN401  (SpecOptions' arguments)
    """Submit a job and print its id.

    COMMAND runs on a worker, in a folder of its own, with the inputs in it. The id goes to stdout, and the command
    comes back at once: `rota wait ID`, `rota logs -f ID` and `rota show ID` tell what became of it.
    """
    from rota.cli.job_ids import remember  # noqa: PLC0415  (start-up time)

    settings.quiet = settings.quiet or quiet
    out = settings.output()
    spec = make_spec(SpecOptions(**options), os.environ)
    with settings.client() as client:
        job = client.submit(**spec)
    remember(client.endpoint.server, job.id)
    if out.as_json:
        out.json(job.data)
        return
    out.data(job.id)
    out.say(f"  {job.state}      its log: rota logs -f last      its end: rota wait last")
