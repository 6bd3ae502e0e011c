"""After thousands of jobs, polls and broken uploads a process holds what it held before. Source: guarantees.md, F54."""

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from house import HandWorker, Server, Worker, described, finished
from participants.place import received
from rota.protocol.ids import AttemptId
from rota.storage import blobs
from rota.storage.blobs import FolderBlobs
from waiting import until

BATCH = 100
MIB = 1024 * 1024
POOLS = 8
"""Threads that a pool has not started yet, and what each opens once; what leaks, leaks a thousand times."""


@dataclass(frozen=True)
class Counts:
    """What the kernel says of a process."""

    files: int
    threads: int
    zombies: int
    memory_bytes: int

    @classmethod
    def of(cls, pid: int) -> "Counts":
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        memory_bytes = int(status["RssAnon"].split()[0]) * 1024
        return cls(len(os.listdir(f"/proc/{pid}/fd")), int(status["Threads"]), zombies_of(pid), memory_bytes)  # noqa: PTH208

    def is_flat(self, before: "Counts", memory_bytes: int) -> bool:
        """No more than `before`, but for what the caches took."""
        is_same = self.files <= before.files + POOLS and self.threads <= before.threads + POOLS and self.zombies == 0
        return is_same and self.memory_bytes - before.memory_bytes < memory_bytes


def zombies_of(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    states = [Path(f"/proc/{child}/stat") for child in children]
    return sum(state.exists() and state.read_text().rpartition(") ")[2].startswith("Z") for state in states)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(tmp_path / "data")
    yield started
    started.stop()


def run_by_hand(admin: httpx2.Client, worker: HandWorker, count: int) -> None:
    """Jobs, every tenth refused first."""
    for _ in range(count // BATCH):
        admin.post("/api/v1/jobs", json={"jobs": [{"command": ["true"]}] * BATCH})
        first = worker.get_job(BATCH // 10)
        refusals = [{"attempt_id": offer["attempt_id"], "reason": "no"} for offer in first]
        assert len(worker.post("/gateway/v1/refuse-job", {"attempts": refusals}).json()["accepted"]) == len(first)
        offers = worker.get_job(BATCH)
        ends = [finished(offer["attempt_id"], b"log") for offer in offers]
        assert len(received(worker.finish(*ends))) == BATCH


def poll_in_vain(server: Server, worker: HandWorker, count: int) -> None:
    """Half of them by nobody."""
    with server.client("rota_" + "0" * 32 + "_" + "x" * 43) as nobody:
        for _ in range(count // 2):
            assert worker.get_job() == []
            assert nobody.post("/gateway/v1/get-job", json={"slots": 1, "wait_s": 0}).status_code == 401


def break_off_uploads(server: Server, worker: HandWorker, attempt: str, count: int) -> None:
    """Each to an artifact of its own; hung up on in the middle."""
    authorization = worker.http.headers["Authorization"]
    for number in range(count):
        head = (
            f"PATCH /gateway/v1/attempts/{attempt}/artifacts/{number} HTTP/1.1\r\nHost: rota\r\n"
            f"Authorization: {authorization}\r\nUpload-Offset: 0\r\nContent-Length: 10000\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(head.encode() + b"x" * 5000)


def test_a_servers_counts_are_flat(server: Server) -> None:
    pid = server.process.pid
    worker = HandWorker(server)
    with server.client() as admin, worker.http:

        def crowd(jobs: int, others: int) -> None:
            run_by_hand(admin, worker, jobs)
            poll_in_vain(server, worker, others)
            admin.post("/api/v1/jobs", json={"command": ["true"]})
            [offer] = worker.get_job()
            break_off_uploads(server, worker, offer["attempt_id"], others)
            assert received(worker.finish(finished(offer["attempt_id"]))) == [offer["attempt_id"]]

        crowd(500, 200)
        before = Counts.of(pid)

        crowd(3000, 1000)

        until(lambda: Counts.of(pid).is_flat(before, 24 * MIB), 10, f"{before} has become {Counts.of(pid)}")


def test_a_workers_counts_are_flat(server: Server, tmp_path: Path) -> None:
    worker = Worker(server.url, server.token("enrolment"), tmp_path / "w", 8)
    try:
        with server.client() as admin:

            def crowd(jobs: int) -> None:
                spec = {"script": "echo log; (true &) ; echo x > out", "artifacts": ["out"]}
                admin.post("/api/v1/jobs", json={"jobs": [spec] * jobs})
                until(lambda: '"queued"} 0.0' in metrics(admin) and '"running"} 0.0' in metrics(admin), 100)
                until(lambda: '"assigned"} 0.0' in metrics(admin), 30)

            crowd(100)
            [shepherd] = shepherds(worker.work_dir)
            processes = (worker.process.pid, shepherd)
            before = [Counts.of(pid) for pid in processes]

            crowd(1000)

            for pid, then in zip(processes, before, strict=True):
                until(lambda pid=pid, then=then: Counts.of(pid).is_flat(then, 8 * MIB), 10, f"{then}, {Counts.of(pid)}")  # type: ignore[misc]
            until(lambda: left_of(worker.work_dir) == [], 10, "folders or reports are left")
    finally:
        worker.stop()


def left_of(work_dir: Path) -> list[str]:
    """Folders of attempts, spare ones left out, and reports."""
    folders = [path.name for path in (work_dir / "jobs").iterdir() if not path.name.startswith(".spare-")]
    return folders + [path.name for path in (work_dir / "spool").glob("*.json")]


def metrics(admin: httpx2.Client) -> str:
    return admin.get("/metrics").text


def shepherds(work_dir: Path) -> list[int]:
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        words = line.read_bytes().rstrip(b"\0").split(b"\0") if line.exists() else []
        if b"rota.worker.shepherd" in words and words[-1] == os.fsencode(work_dir):
            found.append(int(line.parent.name))
    return found


async def test_what_is_known_of_uploads_that_nobody_ends_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blobs, "DIGESTS_MAX", 3)
    store = FolderBlobs(tmp_path)
    for number in range(5):
        await store.append(AttemptId(f"attempt-{number}"), "", 0, b"log")

    told = await store.seal(AttemptId("attempt-0"), "")

    assert len(store._digests) == 3  # noqa: SLF001  (what is bounded)
    assert json.dumps(told) == json.dumps([3, described(b"log")["sha256"]])
