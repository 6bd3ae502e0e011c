"""The gateway alone is away for several leases: what ran is delivered. Source: guarantees.md, G10; decisions, 23."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from house import Json, Worker, ended
from participants.test_apart import Apart
from participants.test_real_workers import shepherd_of
from waiting import until

HEARTBEAT_S, LEASE_S = 0.5, 1.5
OUTAGE_S = 4 * LEASE_S
RECOVERY_S = 120
"""Workers that met an outage ask after pauses that grow."""


class Yard:
    """Services that run apart, two workers, and a job that ends when it is told to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.apart = Apart(folder / "data")
        self.admin = self.apart.jobs.client()
        terms = {"worker_auth": "jwt", "heartbeat_s": HEARTBEAT_S, "lease_s": LEASE_S}
        assert self.admin.post("/api/v1/environments", json={"name": "yard", **terms}).status_code == 201
        self.workers = [self.worker("anna")]

    def worker(self, name: str) -> Worker:
        """One more."""
        made = Worker(self.apart.registry.url, self.apart.jobs.token("enrolment", "yard"), self.folder / name)
        until(lambda: "waiting for work" in made.log.read_text(), 15, f"{name} asks, see {made.log}")
        return made

    def running(self) -> str:
        """A job that Anna runs; afterwards there is another worker, too."""
        flag = self.folder / "may-end"
        script = f"while ! test -e {flag}; do sleep 0.05; done; echo done; echo more > out; exit 7"
        spec = {"script": script, "environment": "yard", "artifacts": ["out"]}
        job: str = self.admin.post("/api/v1/jobs", json=spec).json()["id"]
        until(lambda: self.job(job)["state"] == "running", 15, "it runs")
        self.workers.append(self.worker("bert"))
        return job

    def job(self, job: str) -> Json:
        """As it is."""
        found: Json = self.admin.get(f"/api/v1/jobs/{job}").json()
        return found

    def may_end(self) -> None:
        """The job is told."""
        (self.folder / "may-end").touch()

    def spooled(self) -> list[Path]:
        """What Anna has to report."""
        return list((self.folder / "anna" / "spool").glob("*.json"))

    def close(self) -> None:
        """End all of it."""
        for worker in self.workers:
            worker.stop()
        self.admin.close()
        for server in reversed(self.apart.servers.values()):
            server.stop()


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    made = Yard(tmp_path)
    yield made
    made.close()


def pass_time(duration_s: float, meanwhile: Callable[[], object]) -> None:
    """So long, looking on."""
    end = time.monotonic() + duration_s
    until(lambda: (meanwhile(), time.monotonic() > end)[1], duration_s + 5)


def test_a_result_that_waits_for_longer_than_several_leases_is_recorded_once(yard: Yard) -> None:
    """Source: guarantees.md, F24."""
    job = yard.running()
    yard.apart.gateway.kill()
    yard.may_end()
    until(yard.spooled, 10, "its result waits")

    pass_time(OUTAGE_S, lambda: yard.job(job))
    assert yard.job(job)["state"] == "running"
    yard.apart.gateway.start()

    done = ended(yard.admin, job, RECOVERY_S)
    assert (done["state"], done["result"]["exit_code"]) == ("finished", 7)
    assert [(one["number"], one["state"]) for one in done["attempts"]] == [(1, "finished")]
    assert yard.admin.get(f"/api/v1/jobs/{job}/log").text == "done\n"
    assert yard.admin.get(f"/api/v1/jobs/{job}/artifacts/out").text == "more\n"
    until(lambda: not yard.spooled(), 10, "nothing is left to report")


def test_while_the_gateway_is_away_the_doctor_says_so_and_ends_no_lease(yard: Yard) -> None:
    job = yard.running()
    yard.apart.gateway.kill()

    def faults(answer: httpx2.Response) -> set[str]:
        return {one["code"] for one in answer.json()["findings"] if one["level"] == "fault"}

    until(lambda: faults(yard.admin.get("/api/v1/doctor")) == {"gateway-away"}, 20, "it is named")
    assert faults(yard.admin.post("/api/v1/doctor/fix")) == {"gateway-away"}
    assert yard.job(job)["attempts"][0]["state"] == "running"
    yard.apart.gateway.start()
    until(lambda: not faults(yard.admin.get("/api/v1/doctor")), 20, "all is well")
    yard.admin.post(f"/api/v1/jobs/{job}/cancel")


def test_a_worker_stops_its_job_by_itself_and_only_then_another_has_it(yard: Yard) -> None:
    """The worker's rule is what it was: its lease is over, whatever the server does about it."""
    job = yard.running()
    yard.apart.gateway.kill()
    log = yard.folder / "anna.log"
    until(lambda: "its lease ended before it could be renewed" in log.read_text(), 10, "it is stopped")
    pass_time(LEASE_S, lambda: None)
    assert [one["state"] for one in yard.job(job)["attempts"]] == ["running"]
    yard.may_end()
    yard.apart.gateway.start()

    done = ended(yard.admin, job, RECOVERY_S)

    assert [one["state"] for one in done["attempts"]] == ["lost", "finished"]
    messages: list[Json] = yard.admin.get(f"/api/v1/jobs/{job}/flow").json()["messages"]
    assert [m["detail"] for m in messages if m["name"] == "lease lost"] == ["its lease ran out"]


def test_what_died_with_its_machine_is_lost_while_the_gateway_is_still_away(yard: Yard) -> None:
    job = yard.running()
    anna = yard.workers[0]
    yard.apart.gateway.kill()
    os.kill(shepherd_of(anna), signal.SIGKILL)
    anna.process.kill()
    anna.process.wait()
    anna.start()

    until(lambda: [one["state"] for one in yard.job(job)["attempts"]] == ["lost"], 15, "it is told by its registry")

    yard.may_end()
    yard.apart.gateway.start()
    assert ended(yard.admin, job, RECOVERY_S)["result"]["exit_code"] == 7
