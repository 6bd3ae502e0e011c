"""What is said when a conversation is recorded: all six flows, uploads, renewals, and a user's program.

It is spoken by the worker's and the SDK's own code, so that what is sent is what a worker sends. Nothing here is by
chance: the same play again asks the same.
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple, Protocol

from rota.client.client import AsyncClient
from rota.client.jobs import JobCalls
from rota.client.profile import Endpoint
from rota.client.transport import Transport
from rota.protocol.enrol import Enrol, Enrolled, WorkerCredential
from rota.protocol.get_job import GetJob
from rota.protocol.ids import AttemptId
from rota.protocol.job import Job
from rota.protocol.job_finished import ArtifactReport, Finished, LogReport, Reason, ReportedResult
from rota.protocol.problems import Conflict, InvalidRequest, LeaseLost, NotFound, OffsetMismatch, Problem, Unavailable
from rota.protocol.refuse_job import Refusal
from rota.protocol.status import Status, WorkerStatus
from rota.protocol.wire import to_base64
from rota.worker.calls import Calls
from rota.worker.credential import authorization
from rota.worker.gateway import Gateway
from rota.worker.registry import Registry

LOG = b"first line\nsecond line\n" * 50
FILE = bytes(range(256)) * 4
SMALL = b"small"
STARTED, ENDED = "2026-11-23T12:00:00.000000Z", "2026-11-23T12:00:01.500000Z"
CALL_S = 15.0
STATUS_S = 5.0


class Stage(Protocol):
    """Where it is played."""

    @property
    def admin_token(self) -> str:
        """The administrator's."""
        ...

    def url(self, service: str) -> str:
        """Of jobs, gateway or registry."""
        ...

    async def do(self, what: str, service: str) -> None:
        """Stop or start it."""
        ...


class Worker:
    """A worker's side, message by message, by the worker's own code."""

    def __init__(self, calls: Calls, stage: Stage) -> None:
        self.calls = calls
        self.gateway = Gateway(calls, stage.url("gateway"), CALL_S)
        self.registry = Registry(calls, stage.url("registry"), CALL_S)
        self._asked = 0

    def bear(self, header: str) -> None:
        """The credential from now on."""
        self.calls.authorization = lambda: header

    async def enrol(self, token: str, name: str) -> Enrolled:
        """For a credential of its own."""
        self.bear(f"Bearer {token}")
        enrolled = await self.registry.enrol(Enrol(name, {"site": "lab"}, 2, ["process"], "0.1.0"))
        self.bear(authorization(enrolled.credential))
        return enrolled

    async def renew(self) -> WorkerCredential:
        """A fresh one, used from now on."""
        fresh = await self.registry.renew()
        self.bear(authorization(fresh))
        return fresh

    async def status(self, status: WorkerStatus, *attempts: AttemptId) -> None:
        """Told and received."""
        received = await self.registry.status(Status(status, list(attempts), 2 - len(attempts)), STATUS_S)
        assert received.received is True

    def question(self) -> GetJob:
        """The next getJob."""
        self._asked += 1
        return GetJob(1, 0, f"question-{self._asked}")

    async def given(self, job: Job) -> AttemptId:
        """The attempt of this very job."""
        [offer] = (await self.gateway.get_job(self.question())).offers
        assert (offer.job_id, offer.lease_s > 1) == (job.id, True)
        return offer.attempt_id


def report(attempt: AttemptId, exit_code: int = 0, reason: Reason = Reason.EXITED) -> Finished:
    """An end with nothing to bring back."""
    result = ReportedResult(exit_code=exit_code, signal=None, reason=reason, value={"n": 1})
    log = LogReport(len(SMALL), sha256(SMALL), to_base64(SMALL))
    return Finished(attempt, result, log, [], STARTED, ENDED)


def sha256(content: bytes) -> str:
    """In hex."""
    return hashlib.sha256(content).hexdigest()


class User(NamedTuple):
    """A user's program."""

    client: AsyncClient
    calls: JobCalls


@asynccontextmanager
async def user_of(stage: Stage) -> AsyncIterator[User]:
    """With the administrator's token."""
    async with AsyncClient(stage.url("jobs"), stage.admin_token, patience_s=CALL_S) as client:
        endpoint = Endpoint(server=stage.url("jobs"), token=stage.admin_token, server_origin="", token_origin="")
        transport = Transport(endpoint, CALL_S)
        try:
            yield User(client, JobCalls(transport, CALL_S))
        finally:
            await transport.close()


async def play(stage: Stage) -> None:
    """All of it."""
    async with Calls("incarnation-1") as calls, user_of(stage) as user:
        worker = Worker(calls, stage)
        token = await user.client.create_credential("default", "enrolment", uses=1, note="one")
        enrolled = await worker.enrol(token.token, "w")
        assert (enrolled.environment, enrolled.credential.method) == ("default", "jwt")
        await worker.status(WorkerStatus.READY_FOR_WORK)
        await full_execution_no_job(worker)
        await full_execution_with_job(worker, user)
        await job_has_non_zero_exitcode(worker, user)
        await worker_registry_has_an_error(worker, user, stage)
        await job_has_an_error(worker, stage)
        await worker_gateway_has_an_error(worker, stage)
        await worker.renew()
        await worker.status(WorkerStatus.DRAINING)
        await of_a_user(user)
        await worker.status(WorkerStatus.OFFLINE)
    async with Calls("incarnation-2") as calls, user_of(stage) as user:
        await of_a_place_with_passwords(Worker(calls, stage), user)


async def full_execution_no_job(worker: Worker) -> None:
    returned = await worker.gateway.get_job(worker.question())
    assert (returned.offers, returned.retry_after_s) == ([], None)


async def full_execution_with_job(worker: Worker, user: User) -> None:
    inputs = [{"path": "in/data", "content": to_base64(SMALL)}]
    spec = {"command": ["make", "all"], "inputs": inputs, "artifacts": ["out/*"], "env": {"A": "b"}, "tags": {"t": "1"}}
    submission = user.calls.submission({**spec, "name": "whole", "timeout_s": 60})
    job = await user.calls.transport.ask(submission, Job)
    assert (await user.calls.transport.ask(submission, Job)).id == job.id
    question = worker.question()
    [offer] = (await worker.gateway.get_job(question)).offers
    assert [one.attempt_id for one in (await worker.gateway.get_job(question)).offers] == [offer.attempt_id]
    attempt = offer.attempt_id
    await worker.status(WorkerStatus.WORKING, attempt)
    async with worker.gateway.input(attempt, offer.inputs[0].path) as pieces:
        assert b"".join([piece async for piece in pieces]) == SMALL
    renewed = await worker.gateway.heartbeat([attempt], CALL_S)
    assert (renewed.lease_s > 1, renewed.cancel, renewed.lost) == (True, [], [])
    half = len(LOG) // 2
    assert await worker.gateway.upload(attempt, None, 0, LOG[:half]) == half
    await refused(OffsetMismatch, worker.gateway.upload(attempt, None, 0, LOG[:half]))
    assert await worker.gateway.upload_offset(attempt, None) == half
    assert await worker.gateway.upload(attempt, None, half, LOG[half:]) == len(LOG)
    assert await worker.gateway.upload(attempt, "out/file", 0, FILE) == len(FILE)
    artifacts = [
        ArtifactReport("out/file", len(FILE), sha256(FILE), 0o640),
        ArtifactReport("out/small", len(SMALL), sha256(SMALL), 0o755, to_base64(SMALL)),
    ]
    result = ReportedResult(exit_code=0, signal=None, reason=Reason.EXITED, value=[1, "two", None])
    end = Finished(attempt, result, LogReport(len(LOG), sha256(LOG)), artifacts, STARTED, ENDED)
    for _ in range(2):
        received = await worker.gateway.job_finished([end])
        assert (received.received, received.rejected) == ([attempt], [])
    await worker.status(WorkerStatus.READY_FOR_WORK)
    ended = await user.client.wait(job.id)
    assert (ended.state, ended.verdict, ended.exit_code, ended.value) == ("finished", "succeeded", 0, [1, "two", None])
    assert await ended.log() == LOG
    assert b"".join([piece async for piece in ended.follow()]) == LOG
    assert [artifact.path for artifact in await ended.artifacts()] == ["out/file", "out/small"]
    names = [message.name for message in (await ended.flow()).messages]
    assert {"getJob", "status: Working", "jobFinishedReceived"} <= set(names)


async def job_has_non_zero_exitcode(worker: Worker, user: User) -> None:
    job = (await user.client.submit(script="exit 3", priority=5, queue_timeout_s=600)).data
    attempt = await worker.given(job)
    await worker.status(WorkerStatus.WORKING, attempt)
    other = AttemptId("019ac000-0000-7000-8000-000000000000")
    received = await worker.gateway.job_finished([report(attempt, 3), report(other)])
    assert (received.received, [one.attempt_id for one in received.rejected]) == ([attempt], [other])
    await refused(LeaseLost, worker.gateway.upload(attempt, None, 0, SMALL))
    await refused(NotFound, worker.gateway.upload(other, None, 0, SMALL))
    await worker.status(WorkerStatus.READY_FOR_WORK)
    ended = await user.client.wait(job.id)
    assert (ended.state, ended.verdict, ended.exit_code) == ("finished", "failed", 3)


async def worker_registry_has_an_error(worker: Worker, user: User, stage: Stage) -> None:
    """The refused job is given out again, and stopped while it runs."""
    job = (await user.client.submit(command=["true"])).data
    attempt = await worker.given(job)
    await stage.do("stop", "registry")
    await refused(Unavailable, worker.registry.status(Status(WorkerStatus.WORKING, [attempt], 1), STATUS_S))
    accepted = await worker.gateway.refuse_job([Refusal(attempt, "registry unavailable: no connection")])
    assert (accepted.accepted, accepted.rejected) == ([attempt], [])
    await stage.do("start", "registry")
    again = await worker.given(job)
    await worker.status(WorkerStatus.WORKING, again)
    await user.client.cancel(job.id)
    renewed = await worker.gateway.heartbeat([again, attempt], CALL_S)
    assert (renewed.cancel, renewed.lost) == ([again], [attempt])
    received = await worker.gateway.job_finished([report(again, 143, Reason.CANCELLED)])
    assert received.received == [again]
    await worker.status(WorkerStatus.READY_FOR_WORK)
    assert (await user.client.wait(job.id)).state == "cancelled"


async def job_has_an_error(worker: Worker, stage: Stage) -> None:
    await stage.do("stop", "jobs")
    returned = await worker.gateway.get_job(worker.question())
    assert returned.offers == []
    assert returned.retry_after_s is not None
    await stage.do("start", "jobs")


async def worker_gateway_has_an_error(worker: Worker, stage: Stage) -> None:
    await stage.do("stop", "gateway")
    await refused(Unavailable, worker.gateway.get_job(worker.question()))
    await stage.do("start", "gateway")
    assert (await worker.gateway.get_job(worker.question())).offers == []


async def of_a_user(user: User) -> None:
    client = user.client
    many = await client.submit_many([{"command": ["true"], "name": f"n{number}"} for number in range(3)])
    listed = [job.id async for job in client.jobs(limit=2, state="queued")]
    assert listed == [many[2].id, many[1].id]
    cancelled = await many[0].cancel()
    assert cancelled.state == "cancelled"
    await refused(Conflict, many[0].cancel())
    assert (await many[0].retry()).state == "queued"
    for job in many:
        await job.cancel()
    await refused(NotFound, client.job("019ac000-0000-7000-8000-000000000000"))
    await refused(InvalidRequest, client.submit(command=[]))
    [worker] = await client.workers()
    assert (worker.name, worker.labels["site"]) == ("w", "lab")
    assert [place.name for place in await client.environments()] == ["default"]


async def of_a_place_with_passwords(worker: Worker, user: User) -> None:
    await user.client.create_environment("passwords", "basic", heartbeat_s=5, lease_s=20)
    token = await user.client.create_credential("passwords", "enrolment", expires_in_s=3600)
    enrolled = await worker.enrol(token.token, "basic")
    assert enrolled.credential.method == "basic"
    await worker.status(WorkerStatus.READY_FOR_WORK)
    assert (await worker.renew()).method == "basic"
    await worker.status(WorkerStatus.OFFLINE)
    await user.client.revoke("passwords", token.credential_id)


async def refused(kind: type[Problem], asked: object) -> None:
    """The answer is that problem."""
    try:
        await asked  # type: ignore[misc]  # whatever it would give
    except kind:
        return
    raise AssertionError(f"not refused with {kind.slug}")
