"""`doctor` names what is out of the ordinary and mends what is safe. Source: protocol.md, "Looking after a server"."""

import os
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from house import Server
from participants.clockwork import LEASE_S, Clock, Works
from participants.place import Place, refused
from participants.test_sweep import WITHOUT_HOLDER
from rota.http.peer import _ahead_s
from rota.jobs.doctor import OVERDUE_S, Doctor, Places
from rota.jobs.findings import FREE_BYTES_MIN, NEVER_SEEN_S, ORPHAN_S, SKEW_S_MAX, Disk, Facts, examine, is_orphan
from rota.protocol.doctor import Finding, Level
from rota.protocol.ids import AttemptId, WorkerId
from rota.protocol.problems import Unavailable
from rota.protocol.states import AttemptState, JobState
from rota.protocol.status import WorkerStatus
from rota.protocol.wire import timestamp
from rota.protocol.worker import Worker
from rota.scheduler.decide import decide
from rota.storage.sqlite.upkeep import SqliteFiles, SqliteUpkeep
from rota.storage.stores.blobs import StoredBlob, blob_name
from stores.bench import ANNA, BERT

NOW = Clock().now()


def worker(name: WorkerId, status: WorkerStatus, *, enrolled_s: float = 10, seen: bool = True) -> Worker:
    """A worker as the registry knows it."""
    at = timestamp(NOW - timedelta(seconds=enrolled_s))
    return Worker(name, name, "default", {}, [], 1, 1, status, [], "", at, at if seen else None)


class Registry:
    """What it would answer."""

    def __init__(self) -> None:
        self.known: list[Worker] | None = [worker(ANNA, WorkerStatus.WORKING)]

    async def workers(self, environment: str | None) -> list[Worker]:
        """All, or that it is away."""
        assert environment is None
        if self.known is None:
            raise Unavailable("it is away")
        return self.known


class Ward(Works):
    """The service of test_sweep, and a doctor for it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.registry = Registry()
        registry: Any = self.registry
        files = SqliteFiles({"rota.db": folder / "rota.db"})
        places = Places([folder], folder / "backups")
        upkeep = SqliteUpkeep(self.database)
        self.doctor = Doctor(self.store, upkeep, files, self.blobs, places, self.clock, self.jobs, registry)

    async def found(self) -> dict[str, Finding]:
        """What it says, by code."""
        return {finding.code: finding for finding in (await self.doctor.look()).findings}

    async def fixed(self) -> dict[str, int]:
        """How many of each it mends."""
        return {finding.code: finding.fixed for finding in (await self.doctor.fix()).findings}


@pytest.fixture
async def ward(tmp_path: Path) -> AsyncIterator[Ward]:
    made = Ward(tmp_path)
    made.database.start()
    yield made
    made.database.stop()


async def test_of_a_server_that_is_well_nothing_is_said(ward: Ward) -> None:
    await ward.put(JobState.RUNNING, AttemptState.RUNNING)
    await ward.put(JobState.QUEUED, None)
    await ward.jobs.start()

    assert await ward.found() == {}


async def test_a_lease_that_nothing_ends_is_named_and_ended(ward: Ward) -> None:
    job = await ward.put(JobState.RUNNING, AttemptState.RUNNING)
    attempt = await ward.attempt_of(job)
    await ward.jobs.start()
    ward.clock.passed_s = LEASE_S + OVERDUE_S - 1
    assert await ward.found() == {}

    ward.clock.passed_s += 2  # and no sweeper comes

    assert (await ward.found())["lease-overdue"].examples == [attempt]
    assert await ward.state_of(job) is JobState.RUNNING
    assert await ward.fixed() == {"lease-overdue": 1}
    assert await ward.state_of(job) is JobState.WAITING
    await ward.after(0, decide, steps=1)
    assert await ward.found() == {}


async def test_a_lease_that_is_renewed_meanwhile_is_left_alone(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    job = await ward.put(JobState.RUNNING, AttemptState.RUNNING)
    attempt = await ward.attempt_of(job)
    await ward.jobs.start()
    ward.clock.passed_s = LEASE_S + OVERDUE_S + 1
    look = ward.doctor._facts  # noqa: SLF001  (the moment between looking and mending)

    async def then_renewed() -> Facts:
        facts = await look()
        await ward.jobs.heartbeat(ANNA, "default", [attempt])
        return facts

    monkeypatch.setattr(ward.doctor, "_facts", then_renewed)

    assert await ward.fixed() == {"lease-overdue": 0}
    assert await ward.state_of(job) is JobState.RUNNING


async def test_a_held_attempt_that_no_lease_ends_is_named_and_ended(ward: Ward) -> None:
    await ward.jobs.start()
    job = await ward.put(JobState.RUNNING, AttemptState.RUNNING)  # behind the service's back
    await ward.after(10 * LEASE_S)
    assert await ward.state_of(job) is JobState.RUNNING

    assert (await ward.found())["attempt-without-lease"].fixable
    assert await ward.fixed() == {"attempt-without-lease": 1}

    assert await ward.state_of(job) is JobState.WAITING


@pytest.mark.parametrize(("state", "attempt"), WITHOUT_HOLDER)
async def test_a_job_that_nobody_holds_and_no_time_moves_is_named_and_moved(
    ward: Ward, state: JobState, attempt: AttemptState | None
) -> None:
    """The other half of test_sweep: what the sweeper cannot see."""
    job = await ward.put(state, attempt)
    await ward.jobs.start()
    await ward.after(LEASE_S * 2, decide)
    if attempt is not AttemptState.DETACHED:
        assert await ward.state_of(job) is state

        assert (await ward.found())["job-without-holder"].examples == [job]
        assert await ward.fixed() == {"job-without-holder": 1}

        assert await ward.state_of(job) is JobState.WAITING
        await ward.after(1, decide, steps=1)
        assert await ward.state_of(job) is JobState.QUEUED


async def test_an_attempt_whose_row_cannot_be_moved_is_named(ward: Ward) -> None:
    job = await ward.put(JobState.ASSIGNED, AttemptState.ASSIGNED)
    await ward.jobs.start()
    await ward.rows("UPDATE queue_key SET demand = '['")
    await ward.after(2 * LEASE_S)

    stuck = (await ward.found())["attempt-stuck"]

    assert (stuck.level, stuck.examples, stuck.fixable) == (Level.FAULT, [await ward.attempt_of(job)], False)


@pytest.mark.parametrize("status", [WorkerStatus.LOST, WorkerStatus.OFFLINE, None])
async def test_what_a_worker_that_is_gone_holds_is_named_and_not_taken_while_its_lease_runs(
    ward: Ward, status: WorkerStatus | None
) -> None:
    """It may be alive and at it, only unheard by the registry: a job must not run twice."""
    job = await ward.put(JobState.RUNNING, AttemptState.RUNNING)
    await ward.jobs.start()
    ward.registry.known = [worker(BERT, WorkerStatus.WORKING)] if status is None else [worker(ANNA, status)]
    code = "worker-unknown" if status is None else "worker-lost"

    assert (await ward.found())[code].examples == [await ward.attempt_of(job)]
    assert await ward.fixed() == {code: 0}
    assert await ward.state_of(job) is JobState.RUNNING

    ward.clock.passed_s = LEASE_S + OVERDUE_S + 1
    assert await ward.fixed() == {"lease-overdue": 1}
    assert await ward.state_of(job) is JobState.WAITING


async def test_a_worker_that_took_a_job_before_its_first_status_is_not_gone(ward: Ward) -> None:
    await ward.put(JobState.ASSIGNED, AttemptState.ASSIGNED)
    await ward.jobs.start()
    ward.registry.known = [worker(ANNA, WorkerStatus.OFFLINE, seen=False)]

    assert await ward.found() == {}


async def test_a_registry_that_is_away_is_named(ward: Ward) -> None:
    ward.registry.known = None

    assert "it is away" in (await ward.found())["registry-away"].message


async def test_a_scheduler_that_does_not_decide_is_named(ward: Ward) -> None:
    job = await ward.put(JobState.WAITING, AttemptState.LOST)
    await ward.jobs.start()

    assert (await ward.found())["scheduler-away"].examples == [job]
    await ward.after(1, decide, steps=1)
    assert await ward.found() == {}


async def test_blobs_that_belong_to_nothing_are_deleted_when_they_are_a_day_old(ward: Ward) -> None:
    held = await ward.attempt_of(await ward.put(JobState.RUNNING, AttemptState.RUNNING))
    lost = await ward.attempt_of(await ward.put(JobState.QUEUED, AttemptState.LOST))
    await ward.jobs.start()
    gone = AttemptId("an-attempt-of-nobody")
    for attempt, path in [(lost, ""), (lost, "a"), (held, ""), (held, "a"), (gone, ""), (gone, "b")]:
        await ward.blobs.append(attempt, path, 0, b"x" * 10)
    aged(ward.folder / "blobs", NOW.timestamp() - ORPHAN_S + 60)
    assert await ward.found() == {}

    aged(ward.folder / "blobs", NOW.timestamp() - ORPHAN_S - 60)

    found = (await ward.found())["blob-without-row"]
    assert (found.count, found.level, "30 bytes" in found.message) == (3, Level.NOTE, True)
    assert await ward.fixed() == {"blob-without-row": 3}
    assert await ward.found() == {}
    left = {(blob.attempt_id, blob.name) for blobs in ward.blobs.stored() for blob in blobs}
    assert left == {(lost, "log"), (held, "log"), (held, blob_name("a"))}


def aged(folder: Path, at_s: float) -> None:
    """All files there were written then."""
    for file in folder.rglob("*"):
        os.utime(file, (at_s, at_s))


@pytest.mark.parametrize("state", AttemptState)
@pytest.mark.parametrize("path", ["", "kept", "dropped"])
def test_a_blob_that_somebody_can_see_or_still_writes_is_no_orphan(state: AttemptState, path: str) -> None:
    blob = StoredBlob(AttemptId("a"), blob_name(path), 1, 0)
    held = state in {AttemptState.ASSIGNED, AttemptState.RUNNING, AttemptState.DETACHED}
    seen = path == "kept" or (path == "" and state is AttemptState.LOST)

    assert is_orphan(blob, (state, frozenset({"kept"})), 2 * ORPHAN_S) is not (held or seen)
    assert not is_orphan(blob, None, ORPHAN_S / 2)


async def test_a_backup_that_was_cut_off_is_named_and_deleted(ward: Ward) -> None:
    (ward.folder / "backups" / "x.rota-partial" / "blobs").mkdir(parents=True)

    assert await ward.fixed() == {"backup-partial": 1}

    assert await ward.found() == {}
    assert list((ward.folder / "backups").iterdir()) == []


async def test_a_database_that_is_damaged_is_named_and_its_rows_are_not_relied_on(tmp_path: Path) -> None:
    ward = Ward(tmp_path)
    ward.database.start()
    for _ in range(50):
        await ward.put(JobState.QUEUED, None)
    path = ward.folder / "rota.db"
    ward.database.stop()
    content = bytearray(path.read_bytes())
    content[8192:20480] = b"\x55" * (20480 - 8192)
    path.write_bytes(content)

    found = await ward.found()

    assert found.keys() == {"database-damaged"}
    assert found["database-damaged"].level is Level.FAULT


def test_disks_and_clocks_are_judged_by_plain_numbers() -> None:
    disks = [Disk("/full", FREE_BYTES_MIN - 1, 10 * FREE_BYTES_MIN), Disk("/large", 10**11, 10**13), Disk("/ok", 6, 7)]
    fine = [Disk("/free", FREE_BYTES_MIN, 10 * FREE_BYTES_MIN)]
    future = timestamp(NOW + timedelta(seconds=SKEW_S_MAX + 1))

    assert [one.code for one in examine(Facts(now=NOW, disks=disks))] == ["disk-low"] * 3
    assert examine(Facts(now=NOW, disks=fine)) == []
    assert [one.code for one in examine(Facts(now=NOW, newest_at=future))] == ["clock-set-back"]
    assert examine(Facts(now=NOW, newest_at=timestamp(NOW))) == []
    ahead = {"http://one": 60.0, "http://two": -60.0, "http://three": 1.0}
    told = [one.message for one in examine(Facts(now=NOW, ahead_s=ahead))]
    assert told == ["The clock of http://one is 60 s ahead.", "The clock of http://two is 60 s behind."]


def test_a_peers_clock_is_read_off_its_answers() -> None:
    assert _ahead_s(formatdate(time.time() + 100, usegmt=True)) == pytest.approx(100, abs=2)
    assert _ahead_s("yesterday") == _ahead_s(None) == 0


def test_a_worker_that_nobody_ever_heard_of_is_a_note() -> None:
    young = worker(ANNA, WorkerStatus.OFFLINE, enrolled_s=NEVER_SEEN_S - 60, seen=False)
    old = worker(BERT, WorkerStatus.OFFLINE, enrolled_s=NEVER_SEEN_S + 60, seen=False)

    [told] = examine(Facts(now=NOW, workers=[young, old]))

    assert (told.code, told.level, told.examples) == ("worker-never-seen", Level.NOTE, ["bert (bert)"])


@pytest.mark.parametrize("kind", ["submit", "view", "admin", "enrolment"])
def test_only_who_administers_the_whole_server_may_ask(place: Place, kind: str) -> None:
    client = place.client(kind)

    for method, path in [
        ("GET", "/api/v1/doctor"), ("POST", "/api/v1/doctor/fix"), ("GET", "/api/v1/doctor/blobs"),
        ("GET", "/api/v1/backups"), ("POST", "/api/v1/backups"), ("GET", "/api/v1/backups/x"),
    ]:  # fmt: skip
        refused(client.request(method, path), 403, "forbidden")
    assert place.admin.get("/api/v1/backups").json() == {"backups": []}


def test_a_real_server_is_looked_over_in_all_its_parts(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    try:
        with server.client() as admin:
            told = admin.get("/api/v1/doctor").json()
            refused(admin.get("/api/v1/doctor/blobs", params={"cursor": "x"}), 422, "invalid-request", "cursor")
    finally:
        server.stop()

    assert {"databases", "disks", "clock", "blobs", "backups", "leases", "workers", "scheduler"} == {*told["looked_at"]}
    assert [one["code"] for one in told["findings"] if one["level"] == "fault"] == []
