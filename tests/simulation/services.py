"""Job service, gateway, registry and scheduler in simulated processes: all in one, or each in its own."""

from collections.abc import Callable
from dataclasses import dataclass

import apsw
from prometheus_client import CollectorRegistry

from rota.gateway.service import GatewayService
from rota.jobs.desk import Desk
from rota.jobs.service import JobService
from rota.jobs.sweep import sweep
from rota.protocol.ids import AttemptId
from rota.protocol.participants import Environments, Fleet, Job
from rota.registry.service import RegistryService
from rota.scheduler import loop as scheduler
from rota.storage.blobs import FolderBlobs
from rota.storage.disk import Disk
from rota.storage.sqlite.jobs import SqliteJobs
from rota.storage.sqlite.workers import SqliteWorkers
from simulation.disk import Folder, Kept, KeptDatabase
from simulation.doors import GatewayDoor, RegistryDoor
from simulation.neighbours import FarFleet, FarJob, StandInEnvironments
from simulation.network import Network
from simulation.outages import Outages
from simulation.process import Process
from simulation.watch import Watch

PARTICIPANTS = ("jobs", "gateway", "registry", "scheduler")
LOG_SIZE_BYTES_MAX = 300_000
ARTIFACT_SIZE_BYTES_MAX = 400_000


@dataclass(frozen=True)
class Terms:
    """What the environment says."""

    heartbeat_s: float
    lease_s: float


class Services:
    """Their disks, which outlive them, and their present processes by group."""

    def __init__(
        self, make: Callable[[str, str], Process], network: Network, watch: Watch, blobs: Folder, terms: Terms,
        outages: Outages,
    ) -> None:  # fmt: skip
        self.processes: dict[str, Process] = {}
        self._closes: dict[str, list[Callable[[], None]]] = {}
        self.groups: dict[str, tuple[str, ...]] = {}
        self._make, self._network, self._watch, self.blobs, self._terms = make, network, watch, blobs, terms
        self._outages = outages
        self.jobs_database, self._registry_database = Kept("jobs"), Kept("registry")
        self._recorded: set[str] = set()
        watch.ledger.keep(self.jobs_database.connection)
        watch.is_recorded = self._is_recorded

    def start(self, group: str) -> None:
        """A new process of that group, on the same disk."""
        process = self._make(group, group)
        self.processes[group] = process
        process.begin(self._serve(process, self.groups[group]))

    def stop(self, group: str) -> None:
        """SIGTERM: who waits is answered, nobody else is let in; the process ends a while later."""
        process = self.processes[group]
        process.doors.clear()
        for close in self._closes.pop(group, []):
            process.loop.call_soon(close)
        process.loop.call_later(1.0, process.kill)

    def power_cut(self, group: str) -> None:
        """Its machine loses what it had not synced."""
        self.processes[group].kill()
        if "jobs" in self.groups[group]:
            self._watch.server_lost_bytes = True
            self.blobs.lose_unsynced(self.blobs.root)
        if "registry" in self.groups[group]:
            rows = self._registry_database.connection.execute("SELECT attempt_id FROM acknowledgement")
            self._recorded.update(row[0] for row in rows)
            self._registry_database.lose_unsynced()

    def databases(self, group: str) -> list[Kept]:
        """On the disk of its machine."""
        members = self.groups[group]
        return [
            *([self.jobs_database] if "jobs" in members else []),
            *([self._registry_database] if "registry" in members else []),
        ]

    async def _serve(self, process: Process, members: tuple[str, ...]) -> None:
        environments = StandInEnvironments(self._terms.heartbeat_s, self._terms.lease_s, process.world)
        job: Job = FarJob(process, self._network, "jobs", self._outages if members == ("gateway",) else None)
        doors: dict[str, object] = {}
        database = KeptDatabase(self.jobs_database, process, self._watch.ledger.committed)
        store, blobs = SqliteJobs(database), SteppedBlobs(self.blobs, process, database.disk)
        jobs: JobService | None = None
        if "jobs" in members:
            sizes = (LOG_SIZE_BYTES_MAX, ARTIFACT_SIZE_BYTES_MAX)
            job = jobs = JobService(store, blobs, environments, process.world, *sizes)
            jobs.contact.follows_gateways = True
            self._outages.started()
        fleet: Fleet = FarFleet(process, self._network, "registry")
        registry: RegistryService | None = None
        if "registry" in members:
            workers = SqliteWorkers(KeptDatabase(self._registry_database, process, lambda: None))
            fleet = registry = RegistryService(workers, environments, job, process.world)
            await registry.start()
            process.begin(registry.watch())
            doors["registry"] = Both(registry, environments)
        if jobs is not None:
            jobs.fleet = fleet
            await jobs.start()
            process.begin(sweep(jobs, process.world))
            process.begin(jobs.porter.run())
            doors["jobs"] = jobs
            doors["desk"] = Desk(jobs, store, blobs, environments, fleet, process.world)
        gateway: GatewayService | None = None
        if "gateway" in members:
            gateway = GatewayService(job, process.world, CollectorRegistry())
            process.begin(gateway.watch())
            doors["gateway"] = GatewayDoor(gateway, environments)
        if "scheduler" in members:
            process.begin(scheduler.run(job, process.world))
        self._closes[process.name] = [one.close for one in (jobs, gateway) if one is not None]
        process.doors.update(doors)
        self._network.places.update(dict.fromkeys(doors, process))

    def _is_recorded(self, attempt: str) -> bool:
        known = self._registry_database.connection
        found = known.execute("SELECT 1 FROM acknowledgement WHERE attempt_id = ?", (attempt,)).fetchone()
        return found is not None or attempt in self._recorded


class SteppedBlobs(FolderBlobs):
    """The real ones, in a folder that remembers what was synced."""

    def __init__(self, folder: Folder, process: Process, disk: Disk) -> None:
        super().__init__(folder.root, disk)
        self._folder_of_all, self._process = folder, process

    def _sync(self, descriptor: int) -> None:
        self._folder_of_all.sync(descriptor, self._process.may_die)


class Both(RegistryDoor):
    """The registry for workers, who call, and for the Job service, which asks."""

    def __init__(self, registry: RegistryService, environments: Environments) -> None:
        super().__init__(registry, environments)
        self.acknowledgements = registry.acknowledgements


def bytes_of(connection: apsw.Connection, blobs: Folder, attempt: str) -> dict[str, bytes]:
    """All outputs that are recorded for an attempt, by path; the log's is ''."""
    store = FolderBlobs(blobs.root)
    found: dict[str, bytes] = {}
    for path, inside in connection.execute("SELECT path, content FROM output WHERE attempt_id = ?", (attempt,)):
        file = store._file(AttemptId(attempt), path)  # noqa: SLF001  (where a blob lies is nobody else's to know)
        found[path] = inside if inside is not None else file.read_bytes() if file.exists() else b""
    return found
