"""Several schedulers that are killed and started again: each end has exactly one decision, and none is forgotten.

Source: decision 0019. SQLite itself keeps the record of decisions, in a trigger of the test's own.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import httpx2
import pytest

from house import HandWorker, Json, Server, finished, free_port
from participants.place import received
from rota.storage.sqlite.database import migrate
from scheduler.packages import place as install
from waiting import until

JOBS = 1000
RECORD = """
CREATE TABLE test_decided (job_id TEXT, attempt_id TEXT, verdict TEXT, was TEXT);
CREATE TRIGGER test_decision AFTER UPDATE OF undecided ON job WHEN OLD.undecided = 1 AND NEW.undecided = 0 BEGIN
  INSERT INTO test_decided VALUES (NEW.id, NEW.attempt_id, NEW.verdict, OLD.state); END;
"""


class Stage:
    """A server without a scheduler, and schedulers beside it."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder, self.variables = folder, variables
        data = folder / "data"
        data.mkdir()
        migrate(data / "rota.db", "jobs")
        self.database = data / "rota.db"
        with self.look() as connection:
            connection.execute(RECORD)
        self.server = Server(data, ["jobs", "gateway", "registry"], free_port())
        self.schedulers: list[Server] = []

    def scheduler(self) -> Server:
        """One more."""
        data = self.folder / f"scheduler{len(self.schedulers)}"
        urls = {
            "ROTA_JOBS_URL": self.server.url,
            "ROTA_SERVICE_TOKEN": (self.server.data / "service-token").read_text().strip(),
        }
        made = Server(data, ["scheduler"], None, **{**self.variables, **urls})
        self.schedulers.append(made)
        return made

    def look(self) -> apsw.Connection:
        """The database, beside the server."""
        connection = apsw.Connection(str(self.database))
        connection.set_busy_timeout(10_000)
        return connection

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What a statement of the test's own gives."""
        connection = self.look()
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def undecided(self) -> int:
        """Ends that wait for the scheduler's word."""
        return int(self.rows("SELECT count(*) FROM job WHERE undecided = 1")[0][0])

    def stop(self) -> None:
        """All of it."""
        for server in (*self.schedulers, self.server):
            server.stop()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.stop()


def submit(admin: httpx2.Client, count: int, **spec: object) -> None:
    specs = [{"command": ["false"], **spec}] * count
    assert admin.post("/api/v1/jobs", json={"jobs": specs}).status_code == 201


def run_all(worker: HandWorker, count: int) -> None:
    """As many tries as there are jobs, each of which fails."""
    ended = 0
    while ended < count:
        offers: list[Json] = worker.get_job(slots=200, wait_s=10)
        assert offers, f"{ended} of {count} were given out"
        ends = [finished(offer["attempt_id"], exit_code=1) for offer in offers]
        assert len(received(worker.finish(*ends))) == len(offers)
        ended += len(offers)


def test_each_end_has_one_decision_though_schedulers_and_server_are_killed(stage: Stage) -> None:
    worker = HandWorker(stage.server, slots=1000)
    with stage.server.client() as admin:
        submit(admin, JOBS, retry={"max_attempts": 2})
    run_all(worker, JOBS)
    assert stage.undecided() == JOBS

    first, second = stage.scheduler(), stage.scheduler()
    for victim in (first, second, stage.server, first, stage.server, second):
        victim.kill()
        victim.start()
    until(lambda: stage.undecided() == 0, 30, "all ends have a decision")
    run_all(worker, JOBS)
    first.kill()
    first.start()
    until(lambda: stage.undecided() == 0, 30, "all ends have a verdict")

    decided = stage.rows(
        "SELECT job_id, count(*), count(verdict), count(DISTINCT attempt_id) FROM test_decided GROUP BY 1"
    )
    assert len(decided) == JOBS
    assert {row[1:] for row in decided} == {(2, 1, 2)}, "one more try, then a verdict, each for another attempt"
    assert stage.rows("SELECT DISTINCT state, verdict, tries FROM job") == [("finished", "failed", 2)]
    worker.http.close()


def test_while_no_scheduler_runs_ends_stay_ends_and_are_caught_up_with(stage: Stage) -> None:
    worker = HandWorker(stage.server, slots=1000)
    with stage.server.client() as admin:
        submit(admin, JOBS)
        run_all(worker, JOBS)
        assert admin.get("/api/v1/jobs", params={"limit": 1}).json()["jobs"][0]["state"] == "finished"
        assert stage.rows("SELECT DISTINCT state, verdict, undecided FROM job") == [("finished", None, 1)]

        stage.scheduler()

        until(lambda: stage.undecided() == 0, 10, "caught up")
        assert stage.rows("SELECT DISTINCT state, verdict, tries FROM job") == [("finished", "failed", 1)]
    worker.http.close()


def test_what_is_cancelled_while_it_waits_for_the_schedulers_word_is_not_tried_again(stage: Stage) -> None:
    worker = HandWorker(stage.server)
    with stage.server.client() as admin:
        submit(admin, 1, retry={"max_attempts": 9})
        run_all(worker, 1)
        [job] = admin.get("/api/v1/jobs").json()["jobs"]
        assert (job["state"], job["verdict"]) == ("finished", None)

        assert admin.post(f"/api/v1/jobs/{job['id']}/cancel").status_code == 200

        stage.scheduler()
        until(lambda: stage.undecided() == 0, 10, "decided")
        assert worker.get_job() == []
        assert stage.rows("SELECT state, verdict, tries FROM job") == [("finished", "failed", 1)]
    worker.http.close()


HANGS = """
import os, pathlib
def hangs(ended):
    pathlib.Path(os.environ["HANGS_IN"]).write_text(str(os.getpid()))
    while True: pass
"""


def test_a_policy_that_hangs_keeps_no_other_job_from_its_verdict_and_ends_with_its_scheduler(tmp_path: Path) -> None:
    install(tmp_path / "packages", HANGS, hangs="foreign:hangs")
    pid_file = tmp_path / "pid"
    variables = {"PYTHONPATH": str(tmp_path / "packages"), "HANGS_IN": str(pid_file), "ROTA_POLICY_TIMEOUT_S": "3"}
    stage = Stage(tmp_path, **variables)
    worker = HandWorker(stage.server)
    scheduler = stage.scheduler()
    try:
        with stage.server.client() as admin:
            submit(admin, 1, policy="hangs")
            run_all(worker, 1)
            until(lambda: pid_file.exists() and pid_file.read_text() != "", 20, "the policy was asked")
            submit(admin, 1)
            run_all(worker, 1)
            until(lambda: stage.undecided() == 0, 20, "both have a verdict")
            messages = {one["message"] for one in admin.get("/api/v1/jobs").json()["jobs"]}
            assert messages == {"policy `hangs` did not answer within 3 s; decided without it", None}
            pid_file.unlink()
            submit(admin, 1, policy="hangs")
            run_all(worker, 1)
            until(lambda: pid_file.exists() and pid_file.read_text() != "", 20, "it was asked once more")

            scheduler.kill()

            pid = int(pid_file.read_text())
            until(lambda: not Path(f"/proc/{pid}").exists(), 10, "the policy's process is gone")
            assert admin.get("/api/v1/jobs", params={"limit": 1}).json()["jobs"][0]["verdict"] is None
    finally:
        stage.stop()
        worker.http.close()
    assert os.getpid() != pid
