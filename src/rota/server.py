"""Builds the participants of this process and hands each its neighbours."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Gauge
from starlette.applications import Starlette

from rota import outgoing
from rota.data_folder import BACKUPS, TOKENS
from rota.environments.http import EnvironmentsHttp
from rota.environments.inner_http import EnvironmentsInnerHttp
from rota.environments.remote import RemoteEnvironments
from rota.environments.service import EnvironmentsService
from rota.environments.token_files import ADMIN_TOKEN, SERVICE_TOKEN, kept_token, read_token
from rota.gateway.http import GatewayHttp
from rota.gateway.service import GatewayService
from rota.http.application import application
from rota.http.health import Check, Health, Measure, job_answers
from rota.http.peer import Peer
from rota.http.routes import Endpoint
from rota.jobs.backups import Backups
from rota.jobs.desk import Desk
from rota.jobs.doctor import Doctor, Places
from rota.jobs.http import JobsHttp
from rota.jobs.inner_http import JobsInnerHttp
from rota.jobs.overview import Overviews
from rota.jobs.overview_http import OverviewHttp
from rota.jobs.remote import RemoteJob
from rota.jobs.remote_deliveries import RemoteDeliveries
from rota.jobs.remote_schedules import RemoteSchedules
from rota.jobs.schedules import Schedules
from rota.jobs.schedules_http import SchedulesHttp
from rota.jobs.service import JobService
from rota.jobs.sweep import sweep
from rota.jobs.upkeep_http import UpkeepHttp
from rota.protocol.environment import CallerKind
from rota.protocol.participants import Deliveries, Environments, Fleet, Job
from rota.protocol.participants import Schedules as Calendar
from rota.protocol.problems import InvalidRequest, Problem
from rota.registry.http import RegistryHttp
from rota.registry.remote import RemoteRegistry
from rota.registry.service import RegistryService
from rota.scheduler import loop as scheduler
from rota.scheduler import timekeeper
from rota.settings import Settings
from rota.storage.blobs import FolderBlobs, folder_of_blobs
from rota.storage.disk import Disk
from rota.storage.sqlite.database import Database
from rota.storage.sqlite.environments import SqliteEnvironments
from rota.storage.sqlite.jobs import SqliteJobs
from rota.storage.sqlite.schedules import SqliteSchedules
from rota.storage.sqlite.tallies import SqliteTallies
from rota.storage.sqlite.upkeep import SqliteFiles, SqliteUpkeep
from rota.storage.sqlite.workers import SqliteWorkers
from rota.web.site import site
from rota.world import World

PARTICIPANTS = ("jobs", "gateway", "registry", "scheduler")


@dataclass(frozen=True)
class ServerOptions:
    """What the command line says. `only` empty: all participants; `database`, `blobs` None: in the data folder."""

    data: Path
    host: str = "127.0.0.1"
    port: int = 7682
    only: tuple[str, ...] = ()
    database: str | None = None
    blobs: str | None = None


class House:
    """The participants of this process. What is not in it is reached over HTTP."""

    def __init__(self, options: ServerOptions, settings: Settings, world: World) -> None:
        self._options, self._settings, self._world = options, settings, world
        self._only = options.only or PARTICIPANTS
        self._given_token = settings.text("ROTA_SERVICE_TOKEN")
        self._peers: list[Peer] = []
        self._databases: list[Database] = []
        self._starts: list[Callable[[], Awaitable[None]]] = []
        self._tasks: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self._endpoints: list[Endpoint] = []
        self._checks: list[Check] = []
        self._measures: list[Measure] = []
        self._metrics = CollectorRegistry()
        self._environments: Environments
        self._calendar: Calendar | None = None
        self._deliveries: Deliveries | None = None
        self._closes: list[Callable[[], None]] = []
        self.disk = _disk(options, settings, self._only)
        self._build()

    def application(self) -> Starlette:
        """The web application; the participants start and stop with it."""
        metrics_open = self._settings.is_on("ROTA_METRICS_OPEN")
        health = Health(self._metrics, self._checks, self._measures, metrics_open=metrics_open)
        endpoints = [*health.endpoints(), *self._endpoints]
        recognise = self._environments.recognise
        pages = site(recognise, lambda: made) if "jobs" in self._only else []
        made = application(endpoints, recognise, self._lifespan, pages)
        return made

    def stop_waiting(self) -> None:
        """The server is about to stop: held questions are answered now, and who asked has no reason to warn."""
        logging.getLogger("rota").setLevel(logging.ERROR)
        for close in self._closes:
            close()

    def _build(self) -> None:
        """The Job service first: it is everybody's neighbour."""
        job: Job
        if "jobs" in self._only:
            job = self._jobs()
        else:
            job = RemoteJob(self._peer("ROTA_JOBS_URL"))
            self._environments = remote = RemoteEnvironments(self._peer("ROTA_JOBS_URL"), self._world)
            self._tasks.append(remote.watch)
            # What works on without the Job service is the registry alone: its word to known workers is its own.
            is_registry = set(self._only) == {"registry"}
            self._checks.append(job_answers(job, remote.can_do_without) if is_registry else job_answers(job))
            if "registry" in self._only:
                self._registry(job)
        if "gateway" in self._only:
            gateway = GatewayService(job, self._world, self._metrics)
            self._closes.append(gateway.close)
            self._tasks.append(gateway.watch)
            self._endpoints += GatewayHttp(gateway).endpoints()
        if "scheduler" in self._only:
            self._tasks.append(lambda: scheduler.run(job, self._world))
            calendar = self._calendar or RemoteSchedules(self._peer("ROTA_JOBS_URL"))
            self._tasks.append(lambda: timekeeper.keep(calendar, self._world))
            deliveries = self._deliveries or RemoteDeliveries(self._peer("ROTA_JOBS_URL"))
            self._tasks.append(outgoing.post(self._settings, deliveries, self._world).run)

    def _jobs(self) -> JobService:
        database = self._database("rota.db", "jobs")
        store = SqliteJobs(database)
        blobs = FolderBlobs(folder_of_blobs(self._options.blobs, self._options.data), self.disk)
        self.disk.gauges(self._metrics)
        self._checks.append(self.disk.ready)
        self._tasks.append(lambda: self.disk.watch(self._world))
        self._environments = environments = EnvironmentsService(SqliteEnvironments(database), self._world)
        log_size, artifact_size = map(
            self._settings.limit_bytes, ("ROTA_LOG_SIZE_BYTES_MAX", "ROTA_ARTIFACT_SIZE_BYTES_MAX")
        )
        reserve_after_s = self._settings.duration_s("ROTA_RESERVE_AFTER_S")
        jobs = JobService(store, blobs, environments, self._world, log_size, artifact_size, reserve_after_s)
        jobs.contact.follows_gateways = True
        self._closes.append(jobs.close)

        async def start() -> None:
            await environments.start()
            await self._tokens(environments)
            await jobs.start()

        states = Gauge("rota_jobs", "Jobs that have not ended, by state", ["state"], registry=self._metrics)

        async def measure() -> None:
            counts = await store.counts()
            for state in ("waiting", "queued", "assigned", "running"):
                states.labels(state).set(counts.get(state, 0))

        self._measures.append(measure)
        self._starts.append(start)
        self._tasks += [lambda: sweep(jobs, self._world), jobs.porter.run]
        self._endpoints += EnvironmentsHttp(environments).endpoints()
        self._endpoints += EnvironmentsInnerHttp(environments).endpoints() + JobsInnerHttp(jobs).endpoints()
        fleet: Fleet = (
            self._registry(jobs) if "registry" in self._only else RemoteRegistry(self._peer("ROTA_REGISTRY_URL"))
        )
        jobs.fleet = fleet
        desk = Desk(jobs, store, blobs, environments, fleet, self._world)
        self._endpoints += JobsHttp(desk, fleet).endpoints()
        self._calendar = schedules = Schedules(SqliteSchedules(database), jobs, environments, self._world)
        self._closes.append(schedules.close)
        self._endpoints += SchedulesHttp(schedules, desk).endpoints()
        overviews = Overviews(SqliteTallies(database), blobs, self._world)
        self._tasks.append(overviews.watch)
        self._endpoints += OverviewHttp(overviews).endpoints()
        self._upkeep(database, jobs, store, blobs, fleet)
        return jobs

    def _upkeep(
        self, database: Database, jobs: JobService, store: SqliteJobs, blobs: FolderBlobs, fleet: Fleet
    ) -> None:
        """The doctor, backups of the databases of this process, and who is told of what happens."""
        telling = outgoing.telling(self._settings, database, store, self._environments, self._world)
        self._deliveries = telling.outbox
        self._closes.append(telling.close)
        self._tasks += telling.tasks
        self._endpoints += telling.endpoints()
        data, where = self._options.data, self._settings.text("ROTA_BACKUPS")
        places = Places(
            [data, folder_of_blobs(self._options.blobs, data)], data / BACKUPS if where is None else Path(where)
        )
        files = SqliteFiles({one.path.name: one.path for one in self._databases})
        doctor = Doctor(
            store, SqliteUpkeep(database), files, blobs, places, self._world, jobs, fleet,
            lambda: {peer.url: peer.ahead_s for peer in self._peers},
        )  # fmt: skip
        backups = Backups(places.backups, files, [data / token for token in TOKENS], blobs, self._world)
        self._closes.append(backups.close)
        self._endpoints += UpkeepHttp(doctor, backups).endpoints()

    def _registry(self, job: Job) -> RegistryService:
        store = SqliteWorkers(self._database("registry.db", "registry"))
        registry = RegistryService(store, self._environments, job, self._world)
        self._starts.append(registry.start)
        self._tasks.append(registry.watch)
        told = self._settings.text("ROTA_GATEWAY_URL"), self._settings.text("ROTA_REGISTRY_URL")
        self._endpoints += RegistryHttp(registry, self._environments, *told).endpoints()
        return registry

    async def _tokens(self, environments: EnvironmentsService) -> None:
        data = self._options.data
        admin = data / ADMIN_TOKEN
        is_new = not admin.exists()
        await kept_token(admin, lambda: environments.make_token(CallerKind.ADMIN, "administrator"))
        if is_new:
            say(f"administrator's token: {admin}")
        if self._given_token is not None:
            await environments.accept_token(self._given_token, CallerKind.SERVICE, "services")
        else:
            service = data / SERVICE_TOKEN
            await kept_token(service, lambda: environments.make_token(CallerKind.SERVICE, "services"))

    def _database(self, name: str, schema: str) -> Database:
        database = Database(self._options.data / name, schema, self.disk)
        self._databases.append(database)

        async def check() -> str | None:
            try:
                await database.writer.run(lambda connection: connection.in_transaction)
            except Problem as problem:
                return problem.detail
            return None

        self._checks.append(check)
        return database

    def _peer(self, variable: str) -> Peer:
        url = self._settings.text(variable)
        if url is None:
            raise InvalidRequest.of(variable, f"is needed with --only {' '.join(self._only)}: where that service is")
        peer = Peer(url, lambda: read_token(self._options.data / SERVICE_TOKEN, self._given_token))
        self._peers.append(peer)
        return peer

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for database in self._databases:
                database.start()
                stack.callback(database.stop)
            for peer in self._peers:
                stack.push_async_callback(peer.close)
            for start in self._starts:
                await start()
            tasks = [asyncio.create_task(task()) for task in self._tasks]
            for task in tasks:
                task.add_done_callback(_died)
            yield
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _disk(options: ServerOptions, settings: Settings, only: Sequence[str]) -> Disk:
    """The disk that the participants of this process write to."""
    folders = {"data": options.data} if "jobs" in only else {}
    if "jobs" in only and options.blobs is not None:
        folders["blobs"] = folder_of_blobs(options.blobs, options.data)
        folders["blobs"].mkdir(parents=True, exist_ok=True, mode=0o700)
    disk = Disk(folders, settings.size_bytes_or_none("ROTA_DISK_FREE_BYTES_MIN"))
    disk.on_broken = lambda: os.kill(os.getpid(), signal.SIGTERM)
    disk.look()
    return disk


def _died(task: asyncio.Task[None]) -> None:
    """A loop that ends by itself is a fault: the process stops rather than go on without it."""
    if not task.cancelled() and task.exception() is not None:
        logging.getLogger(__name__).critical("a loop died; stopping", exc_info=task.exception())
        os.kill(os.getpid(), signal.SIGTERM)


def say(line: str) -> None:
    """A line for the person who started it."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201  (that is what it is for)
