"""`rota cancel`: stop jobs."""

import click

from rota.cli.command import Command
from rota.cli.context import Settings
from rota.cli.output import marked


@click.command(cls=Command, examples=("rota cancel last", "rota cancel $(rota list -q --state queued)"))
@click.argument("job_ids", metavar="ID...", nargs=-1, required=True)
@click.pass_obj
def command(settings: Settings, job_ids: tuple[str, ...]) -> None:
    """Stop jobs.

    A job that waits is stopped at once, one that runs within its worker's heartbeat: it is sent SIGTERM, and
    SIGKILL when its grace is over. ID is an id, any unique beginning of one, a pasted address, or `last`.
    """
    from rota.cli.job_ids import find  # noqa: PLC0415  (start-up time)
    from rota.protocol.states import ENDED  # noqa: PLC0415  (start-up time)

    out = settings.output()
    with settings.client() as client:
        jobs = [client.cancel(job_id).data for job_id in [find(client, text) for text in job_ids]]
    if out.as_json:
        out.json(jobs[0] if len(jobs) == 1 else {"jobs": jobs})
        return
    for job in jobs:
        out.say(f"  {marked(job.state) if job.state in ENDED else 'cancelling'}  {job.id}")
