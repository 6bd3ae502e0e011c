"""What waits in an environment that is retired ends: no worker can come for it. Source: guarantees.md, G8."""

from rota.jobs.queue import Queues
from rota.protocol.participants import Environments
from rota.protocol.problems import NotFound
from rota.protocol.states import JobState
from rota.storage.stores.jobs import JobStore, Outcome


async def end_retired(queues: Queues, environments: Environments, store: JobStore, limit: int) -> list[Outcome]:
    """Looked for again and again: a job may come just before the end of its environment, or be given back after it."""
    outcomes: list[Outcome] = []
    for name in queues.environments():
        try:
            await environments.environment(name)
        except NotFound:
            outcomes += [Outcome(job, JobState.CANCELLED) for job in await store.retire(name, limit)]
    return outcomes
