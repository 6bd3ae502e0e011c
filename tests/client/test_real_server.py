"""The SDK against a real server and a real worker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from house import Server, Worker
from rota import AsyncClient, Client
from rota.protocol.problems import Conflict, InvalidRequest, NotFound
from rota.protocol.states import JobState, Verdict
from waiting import until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one worker."""
    folder = tmp_path_factory.mktemp("sdk")
    server = Server(folder / "data")
    worker = Worker(server.url, server.token("enrolment"), folder / "worker", 4)
    with Client(server.url, server.admin_token) as client:
        until(client.workers, why="the worker is listed")
    yield server
    worker.stop()
    server.stop()


@pytest.fixture
def rota(server: Server) -> Iterator[Client]:
    with Client(server.url, server.admin_token) as client:
        yield client


def test_a_job_is_submitted_waited_for_and_read(rota: Client) -> None:
    job = rota.submit(script='echo hello; echo \'{"n": 1}\' > "$ROTA_RESULT"; exit 3', tags={"t": "1"}).wait()

    assert (job.state, job.exit_code, job.value, job.ended) == (JobState.FINISHED, 3, {"n": 1}, True)
    assert job.log() == b"hello\n"
    assert dict(job.tags) == {"t": "1"}
    assert "".join(message.name for message in job.flow().messages).startswith("getJob")
    assert rota.result(job.id) == job.result
    assert repr(job) == f"<Job {job.id} finished>"


def test_where_a_job_runs_is_said_in_a_spec(rota: Client) -> None:
    requires: dict[str, dict[str, object]] = {"gpu": {"exists": False}, "cuda": {"not": {"ge": 12.5}}}
    job = rota.submit(command=["true"], requires=requires, prefers={"site": ["lab"]}, resources={"cpus": 0.5}).wait()

    assert (job.exit_code, job.data.spec.resources) == (0, {"cpus": 0.5})
    with pytest.raises(InvalidRequest, match=r"requires\.cuda\.ge: is neither a number nor a version"):
        rota.submit(command=["true"], requires={"cuda": {"ge": "newest"}})


def test_a_log_is_followed_while_it_is_written(rota: Client) -> None:
    follow = rota.submit(command=["sh", "-c", "echo one; sleep 0.3; printf two"]).follow()
    pieces = list(follow)

    assert b"".join(pieces) == b"one\ntwo"
    assert follow.end is not None
    assert follow.end.state is JobState.FINISHED


def test_inputs_go_and_artifacts_come_back(rota: Client, tmp_path: Path) -> None:
    job = rota.submit(
        script="mkdir -p out/deep; cp in/x.bin out/deep/; echo hi > out/note.txt",
        inputs=[{"path": "in/x.bin", "content": "AAH/"}],
        artifacts=["out/**"],
    ).wait()

    assert [artifact.path for artifact in job.artifacts()] == ["out/deep/x.bin", "out/note.txt"]
    assert job.download("out/deep/x.bin", tmp_path) == tmp_path / "x.bin"
    assert (tmp_path / "x.bin").read_bytes() == b"\x00\x01\xff"
    assert job.download_all(tmp_path / "all") == [tmp_path / "all/out/deep/x.bin", tmp_path / "all/out/note.txt"]
    assert (tmp_path / "all/out/note.txt").read_text() == "hi\n"


def test_many_are_submitted_at_once_listed_and_cancelled(rota: Client) -> None:
    jobs = rota.submit_many([{"command": ["true"], "name": "many", "requires": {"no": "such"}} for _ in range(5)])

    assert [job.id for job in rota.jobs(name="many")] == [job.id for job in reversed(jobs)]
    assert [job.id for job in rota.jobs(2, name="many", state="queued")] == [jobs[4].id, jobs[3].id]
    assert {job.cancel().state for job in jobs} == {JobState.CANCELLED}
    assert rota.submit_many([]) == []


def test_what_the_server_refuses_is_raised_by_name(rota: Client) -> None:
    with pytest.raises(InvalidRequest, match="command"):
        rota.submit(command=[])
    with pytest.raises(NotFound):
        rota.job("0192f3a1-0000-7000-8000-000000000000")
    job = rota.submit(command=["true"]).wait()
    with pytest.raises(Conflict):
        job.cancel()

    assert job.refresh().state is JobState.FINISHED


def test_a_wait_that_is_over_leaves_the_job_alone(rota: Client) -> None:
    job = rota.submit(command=["sleep", "30"])
    with pytest.raises(TimeoutError):
        job.wait(0.3)

    assert job.refresh().state in {JobState.QUEUED, JobState.ASSIGNED, JobState.RUNNING}
    job.cancel()


def test_places_and_their_credentials(rota: Client) -> None:
    made = rota.create_environment("lab", "basic", labels={"site": "lab"}, heartbeat_s=2, description="A lab.")
    token = rota.create_credential("lab", "view", note="for a look")

    assert rota.environment("lab") == made
    assert [one.name for one in rota.environments()] == ["default", "lab"]
    assert [one.note for one in rota.credentials("lab")] == ["for a look"]
    rota.revoke("lab", token.credential_id)
    assert rota.credentials("lab") == []
    assert [(worker.name, worker.slots) for worker in rota.workers()] == [("worker", 4)]


def test_schedules_are_made_run_and_deleted(rota: Client) -> None:
    made = rota.schedules.create("sdk", {"command": ["true"]}, cron="30 2 * * *", timezone="Europe/Berlin")
    assert rota.schedules.all() == [made]
    assert rota.schedules.times("sdk", count=2)[0] == made.next_at
    assert rota.schedules.change("sdk", every_s=60).cron is None
    assert rota.schedules.pause("sdk").paused
    assert not rota.schedules.resume("sdk").paused

    job = rota.schedules.run("sdk")

    assert rota.wait(job.id).exit_code == 0
    assert [one.id for one in rota.jobs(schedule="sdk")] == [job.id]
    last = rota.schedules.get("sdk").last
    assert last is not None
    assert last.job_id == job.id
    rota.schedules.delete("sdk")
    with pytest.raises(NotFound):
        rota.schedules.get("sdk")


async def test_the_awaited_face_does_the_same(server: Server) -> None:
    async with AsyncClient(server.url, server.admin_token) as client:
        job = await client.submit(command=["sh", "-c", "echo hello"])
        log = b"".join([piece async for piece in job.follow()])
        await job.wait()
        again = await job.retry()
        await again.wait()

    assert log == b"hello\n"
    assert job.verdict in {Verdict.SUCCEEDED, None}
    assert [attempt.number for attempt in again.data.attempts] == [1, 2]
