"""Rota under a storm: all its processes, the bad wires between them, and who kills, stops and starts them again."""

import random
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx2

from chaos import job
from chaos.bad_wire import BadWire
from chaos.participants import Participant, Span, WorkerOfChaos, now_ns
from house import PLAIN, READY_WITHIN_S, Json, free_port
from waiting import until

ENVIRONMENT = "chaos"
HEARTBEAT_S, LEASE_S = 1.0, 4.0
STEP_S = 1.0
STOP_EVERY_STEPS = 3
LONGER_THAN_A_LEASE_S = LEASE_S + 2
ANSWER_WITHIN_S = 60
OPEN = ("waiting", "queued", "assigned", "running")


class Wanted(NamedTuple):
    """How much chaos."""

    seconds: int
    jobs: int
    seed: int
    workers: int = 6
    slots: int = 8


class Storm:
    """Three servers, the workers, a bad wire to the gateway and one to the registry; all below `folder`."""

    def __init__(self, folder: Path, wanted: Wanted) -> None:
        self.counts: Counter[str] = Counter()
        self.retries: Counter[str] = Counter()
        self.folder, self.wanted = folder, wanted
        self._chance = random.Random(wanted.seed)  # noqa: S311  (no secret is drawn)
        self._never = threading.Event()
        self._until_ns: dict[str, int] = {}
        (folder / "locks").mkdir()
        (folder / "ledger").touch()
        jobs_port, gateway_port, registry_port, wire_to_gateway, wire_to_registry = (free_port() for _ in range(5))
        self.jobs_url = f"http://127.0.0.1:{jobs_port}"
        self._urls = {"jobs": self.jobs_url, "gateway": _local(gateway_port), "registry": _local(registry_port)}
        self.wires = {
            "gateway": BadWire(_local(gateway_port), wire_to_gateway, random.Random(self._chance.random())),  # noqa: S311
            "registry": BadWire(_local(registry_port), wire_to_registry, random.Random(self._chance.random())),  # noqa: S311
        }
        told = {"ROTA_GATEWAY_URL": _local(wire_to_gateway), "ROTA_REGISTRY_URL": _local(wire_to_registry)}
        self.servers = [
            self._server("jobs", "scheduler", ROTA_REGISTRY_URL=_local(registry_port)),
            self._server("gateway", ROTA_JOBS_URL=self.jobs_url),
            self._server("registry", ROTA_JOBS_URL=self.jobs_url, **told),
        ]
        until(lambda: all(map(_is_ready, self._urls.values())), READY_WITHIN_S, "the servers are ready")
        token = (folder / "data" / "admin-token").read_text().strip()
        self.people = httpx2.Client(
            base_url=self.jobs_url, verify=PLAIN, headers={"Authorization": f"Bearer {token}"}, timeout=70
        )
        self.workers = self._enrol()

    def _server(self, *only: str, **variables: str) -> Participant:
        words = ["server", "--data", str(self.folder / "data"), "--listen", self._urls[only[0]].removeprefix("http://")]
        words += [word for name in only for word in ("--only", name)]
        return Participant(only[0], words, self.folder / f"{only[0]}.log", **variables)

    def _enrol(self) -> list[WorkerOfChaos]:
        made = {"name": ENVIRONMENT, "worker_auth": "jwt", "heartbeat_s": HEARTBEAT_S, "lease_s": LEASE_S}
        self.ask("POST", "/api/v1/environments", 201, json=made)
        asked = {"kind": "enrolment", "uses": 100}
        token = self.ask("POST", f"/api/v1/environments/{ENVIRONMENT}/credentials", 201, json=asked)["token"]
        words = ["--server", self.wires["registry"].url, "--slots", str(self.wanted.slots)]
        return [
            WorkerOfChaos(f"worker-{number}", words, self.folder, ROTA_TOKEN=token)
            for number in range(self.wanted.workers)
        ]

    def ask(self, method: str, path: str, expected: int = 200, **more: Any) -> Json:  # noqa: ANN401  (httpx2's own)
        """The Job service's answer, asked again while it is away."""
        answer: Json = self.get(method, path, expected, **more).json()
        return answer

    def get(self, method: str, path: str, expected: int = 200, **more: Any) -> httpx2.Response:  # noqa: ANN401
        """The same, as it came."""

        def answered() -> httpx2.Response | None:
            try:
                got = self.people.request(method, path, **more)
            except httpx2.TransportError:
                return None
            return got if got.status_code < 500 else None

        got = until(answered, ANSWER_WITHIN_S, f"{method} {path}")
        assert got is not None
        assert got.status_code == expected, f"{method} {path}: {got.status_code} {got.text}"
        return got

    def submit(self) -> list[str]:
        """All jobs at once, by a key, so that it is once even where the answer is lost; their ids by number."""
        specs = [
            {
                "command": [sys.executable, "-IS", job.__file__, str(self.folder), str(number), self._lasts_s()],
                "environment": ENVIRONMENT,
                "artifacts": [job.ARTIFACT],
            }
            for number in range(self.wanted.jobs)
        ]
        headers = {"Idempotency-Key": "chaos"}
        return [
            one["id"] for one in self.ask("POST", "/api/v1/jobs", 201, json={"jobs": specs}, headers=headers)["jobs"]
        ]

    def _lasts_s(self) -> str:
        """Most are short; a quarter outlasts a lease."""
        lasts_s = self._chance.uniform(1, 2) * LEASE_S if self._chance.random() < 0.25 else self._chance.uniform(0.1, 2)
        return f"{lasts_s:.2f}"

    def rage(self) -> None:
        """Every second kill somebody; every few stop somebody for longer than a lease."""
        for wire in self.wires.values():
            wire.is_bad = True
        for step in range(self.wanted.seconds):
            self._never.wait(STEP_S)
            self._look()
            self._kill_somebody()
            if step % STOP_EVERY_STEPS == 0:
                self._stop_somebody()
        for wire in self.wires.values():
            wire.is_bad = False

    def calm(self, within_s: float) -> None:
        """All go on, and all jobs end; who finds one lost asks for it once more, as a user would.

        The agents are started anew once more, so that none has to sit out a long pause between two tries.
        """
        for worker in self.workers:
            worker.go_on()
            worker.kill()
            worker.start()
            self.counts["killed: agent"] += 1
        until(self._have_ended, within_s, "all jobs have ended")
        until(self._has_reported, within_s, "everything is reported")

    def _have_ended(self) -> bool:
        self._look()
        for lost in self.ask("GET", "/api/v1/jobs", params={"state": "lost", "limit": 1000})["jobs"]:
            if self.people.post(f"/api/v1/jobs/{lost['id']}/retry").is_success:
                self.counts["retried, as no try was left"] += 1
                self.retries[lost["id"]] += 1
        return not any(
            self.ask("GET", "/api/v1/jobs", params={"state": one, "limit": 1})["jobs"] for one in (*OPEN, "lost")
        )

    def _has_reported(self) -> bool:
        """Empty folders that a worker keeps for its next jobs are not waited for; they go when it leaves."""
        return all("/.spare" in file for file in left_on_disk(self.folder))

    def jobs(self) -> list[Json]:
        """All jobs with their attempts."""
        found: list[Json] = []
        cursor: Mapping[str, str] = {}
        while True:
            page = self.ask("GET", "/api/v1/jobs", params={"limit": 1000, **cursor})
            found += page["jobs"]
            if not page["next_cursor"]:
                return found
            cursor = {"cursor": page["next_cursor"]}

    def _look(self) -> None:
        """Let go on whose time has come; start again what ended by itself; see whose guard is back."""
        for worker in self.workers:
            if self._until_ns.get(worker.name, 0) < now_ns():
                worker.go_on()
            if worker.unguarded and worker.unguarded[-1].until_ns is None and worker.shepherds():
                worker.unguarded[-1] = Span(worker.unguarded[-1].since_ns, now_ns())
        for one in (*self.servers, *self.workers):
            one.look()

    def _kill_somebody(self) -> None:
        awake = [worker for worker in self.workers if not worker.is_stopped]
        one = self._chance.choice([*self.servers, *awake])
        if isinstance(one, WorkerOfChaos) and self._chance.random() < 0.5:
            self.counts["killed: agent and shepherd"] += 1
            one.kill_both()
        else:
            self.counts[f"killed: {'agent' if isinstance(one, WorkerOfChaos) else one.name}"] += 1
            one.kill()
        one.start()

    def _stop_somebody(self) -> None:
        awake = [worker for worker in self.workers if not worker.is_stopped]
        if not awake:
            return
        worker = self._chance.choice(awake)
        if self._chance.random() < 0.6:
            self.counts["stopped: agent"] += 1
            worker.stop_agent()
        else:
            self.counts["stopped: agent, shepherd and jobs"] += 1
            worker.freeze()
        self._until_ns[worker.name] = now_ns() + int(LONGER_THAN_A_LEASE_S * 1e9)

    def leave(self) -> None:
        """Workers leave in order, then the servers."""
        for worker in self.workers:
            worker.go_on()
            worker.process.terminate()
        for one in (*self.workers, *self.servers):
            one.stop(20)
        for wire in self.wires.values():
            wire.close()
        self.people.close()


def left_on_disk(folder: Path) -> Iterator[str]:
    """Jobs' folders and reports that workers still keep."""
    for below in ("jobs", "spool"):
        yield from (str(file.relative_to(folder)) for file in folder.glob(f"worker-*/{below}/*"))


def _local(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _is_ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/readyz", verify=PLAIN).status_code == 200
    except httpx2.TransportError:
        return False


@contextmanager
def storm(folder: Path, wanted: Wanted) -> Iterator[Storm]:
    """One, that is over at the end whatever happened meanwhile."""
    made = Storm(folder, wanted)
    try:
        yield made
    finally:
        made.leave()
