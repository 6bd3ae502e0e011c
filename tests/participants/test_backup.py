"""A backup of a server that works, and what becomes of it. Source: guarantees.md, F53; protocol.md, "Looking after"."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import httpx2
import pytest

from house import HandWorker, Json, Server, Worker, described, ended, environment_of_tests, finished, free_port
from participants.place import beat, received, refused, rejected
from waiting import until

LARGE = b"l" * 2_000_000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that may be killed."""
    started = Server(tmp_path / "data")
    yield started
    started.stop()


def rota(*words: str) -> subprocess.CompletedProcess[str]:
    """The command line, on this machine's files."""
    command = [sys.executable, "-m", "rota", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment_of_tests())


def made(admin: httpx2.Client, name: str) -> Json:
    """A backup, once it is not being made any more."""
    asked = admin.post("/api/v1/backups", json={"name": name})
    assert asked.status_code == 202, asked.text
    found: Json = admin.get(f"/api/v1/backups/{name}", params={"wait_s": 30}).json()
    return found


def restored(backup: Json | Path, data: Path, port: int | None = None) -> Server:
    """A server of that backup."""
    folder = backup if isinstance(backup, Path) else Path(backup["folder"])
    done = rota("restore", str(folder), "--data", str(data))
    assert (done.returncode, done.stdout) == (0, f"{data}\n"), done.stderr
    return Server(data, port=port)


def submit(admin: httpx2.Client, **spec: object) -> str:
    job: str = admin.post("/api/v1/jobs", json={"command": ["true"], **spec}).json()["id"]
    return job


def finish(worker: HandWorker, attempt: str, log: bytes) -> Json:
    """The log uploaded, so that it is a blob; the report."""
    worker.http.patch(f"/gateway/v1/attempts/{attempt}/log", content=log, headers={"Upload-Offset": "0"})
    return finished(attempt) | {"log": described(log)}


def test_a_backup_under_load_is_one_moment_with_all_that_it_refers_to(server: Server, tmp_path: Path) -> None:
    """What was acknowledged before is there, byte for byte, and nothing is there by half."""
    worker, done, stop = HandWorker(server), list[str](), Event()

    def work() -> None:
        while not stop.is_set():
            job = submit(admin)
            [offer] = worker.get_job(wait_s=5)
            assert offer["job_id"] == job
            assert received(worker.finish(finish(worker, offer["attempt_id"], job.encode() * 2000)))
            done.append(job)

    with server.client() as admin, worker.http, ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        until(lambda: len(done) > 20)
        before = list(done)
        backup = made(admin, "live")
        until(lambda: len(done) > len(before) + 20)
        stop.set()
        working.result()
    assert (backup["state"], backup["damaged"]) == ("whole", 0)
    assert backup["blobs"] >= len(before)

    again = restored(backup, tmp_path / "restored")
    try:
        with again.client() as admin:
            there = {job["id"]: job for job in admin.get("/api/v1/jobs", params={"limit": 1000}).json()["jobs"]}
            assert {there[job]["state"] for job in before} == {"finished"}
            whole = [job for job, shown in there.items() if shown["state"] == "finished"]
            assert all(admin.get(f"/api/v1/jobs/{job}/log").content == job.encode() * 2000 for job in whole)
            assert len(there) < len(done)
            assert admin.get("/api/v1/doctor").json()["findings"] == []
            assert admin.get("/api/v1/doctor/blobs").json()["findings"] == []
    finally:
        again.stop()


def test_a_backup_shares_no_byte_that_could_change_and_needs_no_room_for_blobs(server: Server, tmp_path: Path) -> None:
    worker = HandWorker(server)
    with server.client() as admin, worker.http:
        submit(admin)
        [offer] = worker.get_job(wait_s=5)
        assert received(worker.finish(finish(worker, offer["attempt_id"], LARGE)))
        held = submit(admin)
        [other] = worker.get_job(wait_s=5)
        upload = f"/gateway/v1/attempts/{other['attempt_id']}/log"
        worker.http.patch(upload, content=b"so far", headers={"Upload-Offset": "0"})

        backup = made(admin, "linked")

        [blob] = [file for file in Path(backup["folder"]).rglob("blobs/*/*") if file.is_file()]
        assert (blob.read_bytes(), blob.stat().st_nlink) == (LARGE, 2)
        assert blob.name == f"{offer['attempt_id']}.log"
        worker.http.patch(upload, content=b", and more", headers={"Upload-Offset": "6"})
        assert held in {job["id"] for job in admin.get("/api/v1/jobs").json()["jobs"]}
        for file in (*Path(backup["folder"]).iterdir(), blob):
            assert file.stat().st_mode & 0o077 == 0, file


def test_a_kill_in_the_middle_leaves_what_nobody_takes_for_a_backup(server: Server, tmp_path: Path) -> None:
    with server.client() as admin:
        whole = made(admin, "before")
        for _ in range(3):
            admin.post("/api/v1/jobs", json={"jobs": [{"command": ["true"], "env": {"X": "x" * 500}}] * 10_000})

        def is_cut_off() -> bool:
            admin.post("/api/v1/backups", json={"name": "cut"})
            until(lambda: partial.exists() or (server.data / "backups" / "cut").exists())
            server.kill()
            is_partial = partial.exists()
            server.start()
            shutil.rmtree(server.data / "backups" / "cut", ignore_errors=True)
            return is_partial

        partial = server.data / "backups" / "cut.rota-partial"
        until(is_cut_off, 60, "killed while it was being made")

        assert admin.get("/api/v1/backups/cut").json()["state"] == "partial"
        assert admin.get("/api/v1/backups/before").json() == whole
        refusal = rota("restore", str(partial), "--data", str(tmp_path / "x"))
        assert (refusal.returncode, "no whole backup" in refusal.stderr) == (125, True)
        assert not (tmp_path / "x").exists()
        [finding] = admin.get("/api/v1/doctor").json()["findings"]
        assert (finding["code"], finding["level"]) == ("backup-partial", "note")

        assert made(admin, "after")["state"] == "whole"

        assert not partial.exists()
        assert [one["name"] for one in admin.get("/api/v1/backups").json()["backups"]] == ["after", "before"]


def test_a_server_that_is_told_to_stop_gives_up_the_backup_and_leaves_nothing_of_it(server: Server) -> None:
    with server.client() as admin:
        for _ in range(3):
            admin.post("/api/v1/jobs", json={"jobs": [{"command": ["true"], "env": {"X": "x" * 500}}] * 10_000})
        admin.post("/api/v1/backups", json={"name": "given-up"})
        until((server.data / "backups").exists)

    assert server.stop() == 0

    assert [file.name for file in (server.data / "backups").iterdir()] in ([], ["given-up"])
    assert "Traceback" not in server.log.read_text()


def test_no_attempt_of_before_counts_after_a_restore(server: Server, tmp_path: Path) -> None:
    """Time travel: leases older than reality, and reports of tries that the server has never heard of."""
    worker = HandWorker(server)
    again: Server | None = None
    try:
        with server.client() as admin, worker.http:
            silent, running, finishing = (submit(admin, name=name) for name in ("silent", "running", "finishing"))
            first, second, third = (one["attempt_id"] for one in worker.get_job(slots=3, wait_s=5))
            worker.status("working", second, third)
            assert beat(worker, third)["lost"] == []
            backup = made(admin, "held")
            assert received(worker.finish(finished(third, b"after the backup"))) == [third]
            later = submit(admin)
            [offer] = worker.get_job(wait_s=5)
            fourth = offer["attempt_id"]
            server.kill()

            again = restored(backup, tmp_path / "restored", server.port)

            before = {job: admin.get(f"/api/v1/jobs/{job}").json() for job in (silent, running, finishing)}
            assert {job["attempts"][0]["state"] for job in before.values()} == {"lost"}
            assert admin.get(f"/api/v1/jobs/{later}").status_code == 404
            assert {*beat(worker, first, second, third, fourth)["lost"]} == {first, second, third, fourth}
            for attempt, slug in [(first, "lease-lost"), (third, "lease-lost"), (fourth, "not-found")]:
                assert rejected(worker.finish(finished(attempt, b"late")).json()) == [(attempt, slug)]
            upload = f"/gateway/v1/attempts/{second}/log"
            refused(worker.http.patch(upload, content=b"x", headers={"Upload-Offset": "0"}), 409, "lease-lost")
            assert admin.get(f"/api/v1/jobs/{finishing}").json()["result"] is None

            numbers = {one["job_id"]: one["number"] for one in worker.get_job(slots=3, wait_s=5)}
            assert numbers == {silent: 1, running: 2, finishing: 2}  # what was permitted to run counts as tried
    finally:
        if again is not None:
            again.stop()


def test_workers_go_on_with_the_restored_server_and_every_job_ends_with_one_result(
    server: Server, tmp_path: Path
) -> None:
    """SIGKILL during load, another folder, the same address."""
    ledger = tmp_path / "ledger"
    ledger.mkdir()
    script = f"echo start >>{ledger}/$ROTA_JOB_ID; echo $ROTA_JOB_ID; seq 20000; echo end >>{ledger}/$ROTA_JOB_ID"
    with server.client() as admin:
        admin.post("/api/v1/environments", json={"name": "e", "worker_auth": "jwt", "heartbeat_s": 0.5, "lease_s": 3})
        admin.post("/api/v1/environments", json={"name": "b", "worker_auth": "basic", "heartbeat_s": 0.5, "lease_s": 3})
        workers = [
            Worker(server.url, server.token("enrolment", name), tmp_path / f"worker-{name}", 2) for name in ("e", "b")
        ]
        again: Server | None = None
        try:
            specs = [{"script": script, "environment": name} for name in ("e", "b") for _ in range(40)]
            jobs = [job["id"] for job in admin.post("/api/v1/jobs", json={"jobs": specs}).json()["jobs"]]
            until(lambda: len(list(ledger.iterdir())) > 15, 60)
            backup = made(admin, "during")
            until(lambda: len(list(ledger.iterdir())) > 30, 60)
            server.kill()

            again = restored(backup, tmp_path / "restored", server.port)

            for job in jobs:
                shown = ended(admin, job, 60)
                assert (shown["state"], shown["verdict"], shown["result"]["exit_code"]) == ("finished", "succeeded", 0)
                results = [one["result"] for one in shown["attempts"] if one["result"] is not None]
                assert results == [shown["result"]]
                log = admin.get(f"/api/v1/jobs/{job}/log").text.split()
                assert (log[0], log[-1], len(log)) == (job, "20000", 20001)
            assert {worker["status"] for worker in admin.get("/api/v1/workers").json()["workers"]} <= {
                "ready_for_work", "working"
            }  # fmt: skip
            assert len(admin.get("/api/v1/workers").json()["workers"]) == 2  # with the credentials that they had
        finally:
            for worker in workers:
                worker.stop()
            if again is not None:
                again.stop()


def test_one_backup_at_a_time_each_with_a_name_of_its_own(server: Server) -> None:
    with server.client() as admin:
        assert made(admin, "one")["state"] == "whole"
        refused(admin.post("/api/v1/backups", json={"name": "one"}), 409, "conflict")
        for name in ("", "../x", "a/b", "x.rota-partial", ".", "x" * 101):
            refused(admin.post("/api/v1/backups", json={"name": name}), 422, "invalid-request", "name")
        assert admin.get("/api/v1/backups/two").status_code == 404
        assert [file.name for file in (server.data / "backups").iterdir()] == ["one"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup with one blob."""
    folder = tmp_path_factory.mktemp("whole")
    server = Server(folder / "data")
    worker = HandWorker(server)
    try:
        with server.client() as admin, worker.http:
            submit(admin)
            [offer] = worker.get_job(wait_s=5)
            assert received(worker.finish(finish(worker, offer["attempt_id"], LARGE)))
            return Path(made(admin, "whole")["folder"])
    finally:
        server.stop()


def spoilt(whole: Path, tmp_path: Path, how: str) -> Path:
    """A copy of the backup with one thing wrong."""
    folder = tmp_path / "backup"
    shutil.copytree(whole, folder)
    [blob] = [file for file in folder.rglob("blobs/*/*") if file.is_file()]
    manifest = folder / "manifest.json"
    told = json.loads(manifest.read_text())
    if how == "no manifest":
        manifest.unlink()
    elif how == "half a manifest":
        manifest.write_bytes(manifest.read_bytes()[:200])
    elif how == "newer format":
        manifest.write_text(json.dumps(told | {"format": 2}))
    elif how == "newer schema":
        told["files"][0]["schema"] = 99
        manifest.write_text(json.dumps(told))
    elif how == "database":
        flip(folder / "rota.db")
    elif how == "no database":
        (folder / "registry.db").unlink()
    elif how == "blob":
        flip(blob)
    elif how == "short blob":
        blob.write_bytes(LARGE[:-1])
    elif how == "no blob":
        blob.unlink()
    return folder


def flip(file: Path) -> None:
    """One bit in the middle is another."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


SPOILT = {
    "no manifest": "no whole backup", "half a manifest": "cannot be read", "newer format": "newer Rota",
    "newer schema": "newer Rota", "database": "damaged", "no database": "damaged", "blob": "damaged",
    "short blob": "damaged", "no blob": "damaged",
}  # fmt: skip


@pytest.mark.parametrize("how", SPOILT)
def test_what_is_not_a_whole_backup_of_this_rota_is_refused_and_nothing_is_left(
    whole: Path, tmp_path: Path, how: str
) -> None:
    data = tmp_path / "data"

    done = rota("restore", str(spoilt(whole, tmp_path, how)), "--data", str(data))

    assert (done.returncode, done.stdout) == (125, "")
    assert SPOILT[how] in done.stderr
    assert "Traceback" not in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["backup"]


def test_a_restore_writes_over_nothing(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")

    done = rota("restore", str(whole), "--data", str(tmp_path))

    assert (done.returncode, "nothing is written over" in done.stderr) == (125, True)
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]


def test_a_restore_that_was_cut_off_is_begun_anew_and_fills_an_empty_folder(whole: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "data.rota-restoring").mkdir()
    (tmp_path / "data.rota-restoring" / "rota.db").write_text("half")

    again = restored(whole, data)

    try:
        with again.client() as admin:
            [job] = admin.get("/api/v1/jobs").json()["jobs"]
            assert admin.get(f"/api/v1/jobs/{job['id']}/log").content == LARGE
    finally:
        again.stop()
    assert not (tmp_path / "data.rota-restoring").exists()


def test_a_server_that_stands_still_is_backed_up_from_its_folder(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    with server.client() as admin:
        job = submit(admin)
        running = rota("backup", "--data", str(server.data), str(tmp_path / "b"))
        assert (running.returncode, "Another server" in running.stderr) == (125, True)
    server.stop()
    (tmp_path / "mine.partial").mkdir()

    done = rota("backup", "--data", str(server.data), str(tmp_path / "b"))
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'b'}\n")
    assert (tmp_path / "mine.partial").exists()  # only what bears Rota's name is cleared away
    assert rota("backup", "--data", str(server.data), str(tmp_path / "b")).returncode == 125

    again = restored(tmp_path / "b", tmp_path / "again", free_port())
    try:
        with again.client(server.admin_token) as admin:
            assert admin.get(f"/api/v1/jobs/{job}").json()["state"] == "queued"
    finally:
        again.stop()


def test_what_was_damaged_before_is_counted_and_the_rest_is_kept(server: Server, tmp_path: Path) -> None:
    worker = HandWorker(server)
    with server.client() as admin, worker.http:
        job = submit(admin)
        [offer] = worker.get_job(wait_s=5)
        attempt = offer["attempt_id"]
        assert received(worker.finish(finish(worker, attempt, LARGE)))
        (server.data / "blobs" / attempt[-2:] / attempt / "log").write_bytes(b"short")

        backup = made(admin, "flawed")

        assert (backup["state"], backup["damaged"], backup["blobs"]) == ("whole", 1, 0)
        assert list(Path(backup["folder"]).glob("blobs/*/*")) == []
    again = restored(backup, tmp_path / "again")
    try:
        with again.client() as admin:
            refused(admin.get(f"/api/v1/jobs/{job}/log"), 500, "damaged")
    finally:
        again.stop()
