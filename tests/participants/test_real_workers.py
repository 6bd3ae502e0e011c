"""Real workers that are frozen or killed, on a real server: one execution at a time. Source: G2, G9, F19."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from house import Json, Server, Worker, ended
from participants.place import Place
from waiting import until

SCRIPT = """
echo "start $ROTA_ATTEMPT $(date +%s.%N)" >> {ledger}
echo "attempt $ROTA_ATTEMPT"
n=0
while [ $n -lt {ticks} ]; do
  echo "alive $ROTA_ATTEMPT $(date +%s.%N)" >> {ledger}
  sleep 0.1
  n=$((n + 1))
done
"""


class Fleet:
    """Workers of one place, whose leases end while a test looks on; and a ledger that their jobs write to."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.place, self.folder, self.ledger = place, folder, folder / "ledger"
        self.workers: list[Worker] = []

    def worker(self, name: str, slots: int = 1) -> Worker:
        """One more, enrolled."""
        token = self.place.server.token("enrolment", self.place.name)
        worker = Worker(self.place.server.url, token, self.folder / name, slots)
        self.workers.append(worker)
        until(lambda: "waiting for work" in worker.log.read_text(), 15, f"{name} asks, see {worker.log}")
        return worker

    def submit(self, ticks: int, **spec: object) -> str:
        """A job that tells the ledger every tenth of a second that it is alive."""
        script = SCRIPT.format(ledger=self.ledger, ticks=ticks)
        answer = self.place.admin.post("/api/v1/jobs", json={"script": script, "environment": self.place.name, **spec})
        assert answer.status_code == 201, answer.text
        job: str = answer.json()["id"]
        return job

    def told(self) -> list[tuple[str, int, float]]:
        """What the ledger says: word, number of the try, when."""
        lines = self.ledger.read_text().splitlines() if self.ledger.exists() else []
        whole = [line.split() for line in lines if len(line.split()) == 3]
        return [(word, int(number), float(at)) for word, number, at in whole]

    def tries(self) -> set[int]:
        """Which have begun."""
        return {number for _, number, _ in self.told()}

    def end(self) -> None:
        for worker in self.workers:
            worker.stop()


def lost_because(place: Place, job: str) -> list[str]:
    messages: list[Json] = place.admin.get(f"/api/v1/jobs/{job}/flow").json()["messages"]
    return [message["detail"].partition(":")[0] for message in messages if message["name"] == "lease lost"]


def shepherd_of(worker: Worker) -> int:
    """The living second process of that worker."""
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                told = (path / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"rota.worker.shepherd" in told and os.fsencode(worker.work_dir) in told:
                return int(path.name)
    raise AssertionError("no shepherd")


@pytest.fixture
def fleet(server: Server, admin: httpx2.Client, tmp_path: Path) -> Iterator[Fleet]:
    with Place(server, admin, heartbeat_s=0.5, lease_s=2) as place:
        made = Fleet(place, tmp_path)
        yield made
        made.end()


def test_a_worker_that_is_frozen_for_longer_than_a_lease_and_the_next_never_run_a_job_at_once(fleet: Fleet) -> None:
    frozen = fleet.worker("frozen")
    job = fleet.submit(40)
    until(lambda: fleet.tries() == {1}, 10)
    until(lambda: fleet.place.state(job) == "running", 10)
    frozen.process.send_signal(signal.SIGSTOP)
    fleet.worker("other")

    until(lambda: [number for _, number, _ in fleet.told()].count(2) > 6, 20)
    frozen.process.send_signal(signal.SIGCONT)
    done = ended(fleet.place.admin, job)

    first = [at for _, number, at in fleet.told() if number == 1]
    second = [at for _, number, at in fleet.told() if number == 2]
    assert max(first) < min(second), "the shepherd had ended it before the server gave it away"
    assert (done["state"], done["verdict"], [one["state"] for one in done["attempts"]]) == (
        "finished", "succeeded", ["lost", "finished"],
    )  # fmt: skip
    assert fleet.place.admin.get(f"/api/v1/jobs/{job}/log").content == b"attempt 2\n"
    until(lambda: "lease" in frozen.log.read_text(), 10, "it says what it gave up")
    assert fleet.place.job(job) == done


def test_a_kept_job_runs_on_under_a_frozen_agent_and_is_nobody_elses(fleet: Fleet) -> None:
    frozen = fleet.worker("frozen")
    job = fleet.submit(60, lease_policy="keep")
    until(lambda: fleet.place.state(job) == "running", 10)
    frozen.process.send_signal(signal.SIGSTOP)
    fleet.worker("other")
    until(lambda: fleet.place.job(job)["attempts"][0]["state"] == "detached", 10)
    at = len(fleet.told())
    until(lambda: len(fleet.told()) > at + 5, 10, "it goes on")

    frozen.process.send_signal(signal.SIGCONT)

    done = ended(fleet.place.admin, job)
    assert (done["verdict"], [one["state"] for one in done["attempts"]], fleet.tries()) == (
        "succeeded", ["finished"], {1},
    )  # fmt: skip


def test_what_died_with_the_machine_is_lost_as_soon_as_its_worker_is_back(fleet: Fleet) -> None:
    """Agent, shepherd and job go at once; the reason is told. Also with `keep`: there is nobody who kept it.

    Source: guarantees.md, F17.
    """
    worker = fleet.worker("w", slots=2)
    jobs = [fleet.submit(30), fleet.submit(30, lease_policy="keep")]
    until(lambda: [fleet.place.state(job) for job in jobs] == ["running", "running"], 10)
    shepherd = shepherd_of(worker)
    worker.process.kill()
    worker.process.wait()
    os.kill(shepherd, signal.SIGKILL)
    worker.start()

    for job in jobs:
        done = ended(fleet.place.admin, job)
        assert [one["state"] for one in done["attempts"]] == ["lost", "finished"]
        assert lost_because(fleet.place, job) == ["worker_restarted"]


def test_a_shepherd_that_dies_loses_its_jobs_at_once_and_not_with_their_leases(fleet: Fleet) -> None:
    worker = fleet.worker("w")
    job = fleet.submit(20, lease_policy="keep")
    until(lambda: fleet.place.state(job) == "running", 10)
    os.kill(shepherd_of(worker), signal.SIGKILL)

    done = ended(fleet.place.admin, job)

    assert [one["state"] for one in done["attempts"]] == ["lost", "finished"]
    assert lost_because(fleet.place, job) == ["worker_restarted"]
