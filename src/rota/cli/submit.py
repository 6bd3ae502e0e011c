"""`rota submit`: the job's id, and back."""

import os
from collections.abc import Mapping
from typing import Any

import click

from rota.cli.command import Command, option
from rota.cli.context import Settings
from rota.cli.graph_options import with_ids
from rota.cli.output import Output
from rota.cli.spec_options import WholeOptions, make_spec, spec_options


@click.command(
    cls=Command,
    context_settings={"allow_interspersed_args": False},
    examples=(
        "rota submit -- sleep 60",
        "rota submit --require gpu=yes --timeout 2h --input build.sh --artifact 'out/**' -- sh build.sh",
        "ID=$(rota submit --script build.sh) && rota wait $ID",
        "ID=$(rota submit -- date) && rota submit --after $ID:any -- echo 'whatever became of it'",
        """echo '{"jobs": [{"script": "date"}, {"script": "uptime"}]}' | rota submit --file -""",
    ),
)
@spec_options
@option("--file", "-f", metavar="FILE", help="Submit the specs of this JSON or .toml file instead; - is stdin.")
@option("--quiet", "-q", is_flag=True, help="Print the id only; nothing on stderr.")
@click.pass_obj
def command(settings: Settings, /, *, file: str | None, quiet: bool, **options: Any) -> None:  # noqa: ANN401
    """Submit a job and print its id.

    COMMAND runs on a worker, in a folder of its own, with the inputs in it. The id goes to stdout, and the command
    comes back at once: `rota wait ID`, `rota logs -f ID` and `rota show ID` tell what became of it.
    """
    from rota.cli.job_ids import find, remember  # noqa: PLC0415  (start-up time)

    settings.quiet = settings.quiet or quiet
    out = settings.output()
    if file is not None:
        submit_file(settings, out, file, options)
        return
    spec = make_spec(WholeOptions(**options), os.environ)
    with settings.client() as client:
        job = client.submit(**with_ids(spec, lambda text: find(client, text)))
    remember(client.endpoint.server, job.id)
    if out.as_json:
        out.json(job.data)
        return
    out.data(job.id)
    out.say(f"  {job.state}      its log: rota logs -f last      its end: rota wait last")


def submit_file(settings: Settings, out: Output, file: str, options: Mapping[str, Any]) -> None:
    """Submit what the file holds; prints the ids in its order. Raises click.UsageError."""
    from rota.cli.job_ids import remember  # noqa: PLC0415  (start-up time)
    from rota.cli.spec_file import read_specs  # noqa: PLC0415  (start-up time)

    given = next((name for name, value in options.items() if value not in {None, (), False}), None)
    if given is not None:
        what = "a command" if given == "command" else f"--{given.replace('_', '-')}"
        raise click.UsageError(f"--file: the file says it all; leave {what} out, or write it there.")
    specs, are_many = read_specs(file)
    with settings.client() as client:
        jobs = client.submit_many(specs) if are_many else [client.submit(**specs[0])]
    remember(client.endpoint.server, jobs[-1].id)
    if out.as_json:
        out.json({"jobs": [job.data for job in jobs]} if are_many else jobs[0].data)
        return
    for job in jobs:
        out.data(job.id)
    out.say(f"  {len(jobs)} submitted      the last one: rota show last      all: rota list")
