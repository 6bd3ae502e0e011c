"""What has not ended by its deadline. Source: protocol.md, "Times of a job"."""

from collections.abc import Callable, Iterable

from rota.jobs.overdue import SWEPT_MAX
from rota.protocol.ids import AttemptId
from rota.storage.stores.jobs import JobStore, Outcome


async def end_overdue(
    store: JobStore,
    now: str,
    cancel_requested: Callable[[Outcome], None],
    note: Callable[[Iterable[AttemptId], Iterable[Outcome]], None],
) -> None:
    """What waits expires; the workers of what runs are told to stop it, as with any cancel."""
    outcomes = await store.overdue(now, SWEPT_MAX)
    for outcome in outcomes:
        cancel_requested(outcome)
    note([], outcomes)
