"""The power fails for server and worker at once: every job is whole, or tried again. Source: guarantees.md, G1, F25."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from house import Server, Worker, ended
from participants.place import Place
from participants.test_real_workers import Fleet, shepherd_of
from waiting import until

LEASE_S = 2


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own."""
    started = Server(tmp_path / "data")
    yield started
    started.stop()


def cut_power(server: Server, worker: Worker) -> None:
    """All at once, jobs included: the shepherd's end is theirs."""
    shepherd = shepherd_of(worker)
    os.kill(shepherd, signal.SIGKILL)
    worker.process.kill()
    server.kill()
    worker.process.wait()


def test_what_ran_is_tried_again_what_had_ended_stays_and_what_waited_waits(mortal: Server, tmp_path: Path) -> None:
    with mortal.client() as admin, Place(mortal, admin, heartbeat_s=0.5, lease_s=LEASE_S) as place:
        fleet = Fleet(place, tmp_path)
        try:
            worker = fleet.worker("w", slots=2)
            over = ended(admin, fleet.submit(1))
            running, waiting = [fleet.submit(30) for _ in range(2)], fleet.submit(1)
            until(lambda: [place.state(job) for job in running] == ["running", "running"], 10)
            cut_power(mortal, worker)
            mortal.start()
            worker.start()

            ends = [ended(admin, job) for job in (*running, waiting)]
        finally:
            fleet.end()

        states = [[one["state"] for one in job["attempts"]] for job in ends]
        assert states == [["lost", "finished"], ["lost", "finished"], ["finished"]]
        assert [job["verdict"] for job in ends] == ["succeeded"] * 3
        assert place.job(over["id"]) == over
