"""A worker that is cut off, in whichever direction; one behind a slow wire. Source: guarantees.md, G9, F20, F22."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import msgspec
import pytest

from house import PLAIN, Server, Worker, ended, finished
from participants.place import Place, rejected
from participants.test_real_workers import Fleet, lost_because
from silent_wire import DOWN, UP, SilentWire
from waiting import until

SLOW_BYTES_S = 8_000  # 64 kbit/s


@pytest.fixture
def fleet(server: Server, admin: httpx2.Client, tmp_path: Path) -> Iterator[Fleet]:
    with Place(server, admin, heartbeat_s=0.5, lease_s=2) as place:
        made = Fleet(place, tmp_path)
        yield made
        made.end()


def behind(wire: SilentWire, fleet: Fleet) -> Worker:
    """A worker that knows the server by the wire alone."""
    token = fleet.place.server.token("enrolment", fleet.place.name)
    worker = Worker(wire.url, token, fleet.folder / "cut")
    fleet.workers.append(worker)
    until(lambda: "waiting for work" in worker.log.read_text(), 15, f"it asks, see {worker.log}")
    return worker


@pytest.mark.parametrize("lost", [{UP, DOWN}, {UP}, {DOWN}], ids=["both ways", "only requests", "only answers"])
def test_who_is_cut_off_stops_before_another_begins_and_is_refused_when_it_is_back(
    fleet: Fleet, lost: set[str]
) -> None:
    """Source: guarantees.md, F20."""
    with SilentWire(fleet.place.server.port) as wire:
        cut = behind(wire, fleet)
        job = fleet.submit(300)
        until(lambda: fleet.place.state(job) == "running" and fleet.tries() == {1}, 10)
        wire.loses = frozenset(lost)
        fleet.worker("other")

        until(lambda: [number for _, number, _ in fleet.told()].count(2) > 6, 20, "the other runs it")
        wire.loses = frozenset()

        first = [at for _, number, at in fleet.told() if number == 1]
        second = [at for _, number, at in fleet.told() if number == 2]
        assert max(first) < min(second), "it stopped by itself, before the server gave its job away"
        assert "its lease ended before it could be renewed" in cut.log.read_text()
        before = fleet.place.job(job)
        assert [one["state"] for one in before["attempts"]] == ["lost", "running"]
        assert lost_because(fleet.place, job) == ["its lease ran out"]
        old = before["attempts"][0]["attempt_id"]
        with as_itself(cut, wire) as caller:
            answer = caller.post("/gateway/v1/job-finished", json={"attempts": [finished(old)]})
            assert rejected(answer.json()) == [(old, "lease-lost")]
        assert fleet.place.job(job) == before
        fleet.place.admin.post(f"/api/v1/jobs/{job}/cancel")
        assert ended(fleet.place.admin, job)["state"] == "cancelled"


def as_itself(worker: Worker, wire: SilentWire) -> httpx2.Client:
    """A client with the worker's own credential, over its own wire."""
    kept = msgspec.json.decode((worker.work_dir / "credential.json").read_bytes())
    headers = {"Authorization": f"Bearer {kept['enrolled']['credential']['token']}", "Rota-Incarnation": "late"}
    return httpx2.Client(verify=PLAIN, base_url=wire.url, headers=headers, timeout=20)


def test_behind_a_very_slow_wire_a_job_takes_longer_and_ends_once(fleet: Fleet) -> None:
    """64 kbit/s each way; the log takes longer than a lease to send. Source: guarantees.md, F22."""
    with SilentWire(fleet.place.server.port, SLOW_BYTES_S) as wire:
        behind(wire, fleet)
        log = "".join(f"{line}\n" for line in range(5_000))
        given = {"script": "seq 0 4999", "environment": fleet.place.name}
        job = fleet.place.admin.post("/api/v1/jobs", json=given).json()["id"]

        done = ended(fleet.place.admin, job)

        assert (done["verdict"], [one["state"] for one in done["attempts"]]) == ("succeeded", ["finished"])
        assert fleet.place.admin.get(f"/api/v1/jobs/{job}/log").text == log
