"""The four participants as processes of their own, with a tap on each of the diagrams' wires."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from house import HandWorker, Json, Server, Worker, ended, free_port
from waiting import until
from wiretap import Tap, Wire


class Town:
    """Job service (with the scheduler), gateway and registry, each on its own; taps w→wg, wg→j and w→wr."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wire = Wire()
        self._taps: list[Tap] = []
        self._servers: list[Server] = []
        self._workers: list[Worker] = []
        self._hands: list[HandWorker] = []
        data = folder / "data"  # one folder, so that they share the service token
        jobs_port, registry_port = free_port(), free_port()
        jobs_url, registry_url = f"http://127.0.0.1:{jobs_port}", f"http://127.0.0.1:{registry_port}"
        self.jobs = self._add(Server(data, ("jobs", "scheduler"), jobs_port, ROTA_REGISTRY_URL=registry_url))
        self.to_jobs = self._tap("wg", "j", jobs_url)
        self.gateway = self._add(Server(data, ("gateway",), ROTA_JOBS_URL=self.to_jobs.url))
        self.to_gateway = self._tap("w", "wg", self.gateway.url)
        self.to_registry = self._tap("w", "wr", registry_url)
        self.registry = self._add(
            Server(
                data,
                ("registry",),
                registry_port,
                ROTA_JOBS_URL=jobs_url,
                ROTA_GATEWAY_URL=self.to_gateway.url,
                ROTA_REGISTRY_URL=self.to_registry.url,
            )
        )
        self.people = self.jobs.client()

    def _add(self, server: Server) -> Server:
        self._servers.append(server)
        return server

    def _tap(self, caller: str, called: str, upstream: str) -> Tap:
        tap = Tap(self.wire, caller, called, upstream)
        self._taps.append(tap)
        return tap

    def worker(self, name: str, registry: str | None = None) -> Worker:
        """A real worker behind the taps, waiting for a job; `registry` goes round the tap."""
        mark = len(self.wire.messages)
        worker = Worker(registry or self.to_registry.url, self.jobs.token("enrolment"), self.folder / f"{name}-{mark}")
        self._workers.append(worker)
        until(lambda: "j -> wg: noJob" in self.wire.since(mark), 15, f"{name} asks, see {worker.log}")
        return worker

    def hand(self) -> HandWorker:
        """A worker played by hand, known to the gateway."""
        hand = HandWorker(self.jobs, registry=self.registry, gateway=self.gateway)
        self._hands.append(hand)
        assert hand.get_job() == []
        self.wire.messages.clear()
        return hand

    def submit(self, *command: str) -> str:
        """A job's id."""
        answer = self.people.post("/api/v1/jobs", json={"command": list(command)})
        assert answer.status_code == 201, answer.text
        job: str = answer.json()["id"]
        return job

    def job(self, job: str) -> Json:
        """The job as it is."""
        found: Json = self.people.get(f"/api/v1/jobs/{job}").json()
        return found

    def ended(self, job: str) -> Json:
        """The job, once it has ended."""
        return ended(self.people, job)

    def flow(self, job: str) -> list[str]:
        """The job's own account of its messages, in the short form of the taps."""
        short = {"Worker": "w", "WorkerGateway": "wg", "WorkerRegistry": "wr", "Job": "j"}
        messages = self.people.get(f"/api/v1/jobs/{job}/flow").json()["messages"]
        told = [m for m in messages if "JobScheduler" not in {m["from"], m["to"]}]
        return [f"{short[m['from']]} -> {short[m['to']]}: {m['name']}" for m in told]

    def mend(self) -> None:
        """Everybody passes on, nobody is down, and no worker or job is left of the test before."""
        for tap in self._taps:
            tap.mend()
        for server in self._servers:
            if server.process.poll() is not None:
                server.start()
        while self._hands:
            self._hands.pop().http.close()
        while self._workers:
            self._workers.pop().stop()
        for job in self.people.get("/api/v1/jobs", params={"state": "queued"}).json()["jobs"]:
            self.people.post(f"/api/v1/jobs/{job['id']}/cancel")

    def close(self) -> None:
        """End all of it."""
        for worker in self._workers:
            worker.stop()
        for tap in self._taps:
            tap.close()
        for server in self._servers:
            server.stop()
        self.people.close()


@pytest.fixture(scope="session")
def whole_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    town = Town(tmp_path_factory.mktemp("town"))
    try:
        yield town
    finally:
        town.close()


@pytest.fixture
def town(whole_town: Town) -> Iterator[Town]:
    """The town, whole again after each test: what was broken is mended, no worker is left, no job waits."""
    yield whole_town
    whole_town.mend()
