"""What /metrics says of the jobs."""

from prometheus_client import CollectorRegistry, Gauge

from rota.http.health import Measure
from rota.protocol.states import ENDED, JobState
from rota.storage.stores.jobs import JobStore


def jobs_by_state(store: JobStore, metrics: CollectorRegistry) -> Measure:
    """The gauge `rota_jobs`: jobs that have not ended, counted when somebody asks."""
    gauge = Gauge("rota_jobs", "Jobs that have not ended, by state", ["state"], registry=metrics)

    async def measure() -> None:
        counts = await store.counts()
        for state in JobState:
            if state not in ENDED:
                gauge.labels(str(state)).set(counts.get(state, 0))

    return measure
