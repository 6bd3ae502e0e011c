"""/internal/v1: what gateway, registry and scheduler call when they run apart. Source: protocol.md, "inner door"."""

from typing import Annotated

from msgspec import Meta
from starlette.responses import Response

from rota.http.ranges import bytes_response
from rota.http.routes import SERVICES, Answered, Call, Endpoint
from rota.jobs.service import JobService
from rota.protocol.decide import Decisions, EndedJobs
from rota.protocol.get_job import Arrivals, GetJobForWorker, Given
from rota.protocol.heartbeat import Renewed
from rota.protocol.ids import AttemptId, Incarnation, WorkerId
from rota.protocol.job_finished import Finished, JobFinishedReceived
from rota.protocol.policy import Announcement
from rota.protocol.problems import InvalidRequest
from rota.protocol.refuse_job import Refusal, RefuseAccepted
from rota.protocol.wire import Answer, Request, parse_offset

_WAIT_S_MAX = 60
_ENDED_MAX = 10_000
_MARK_MAX = 2**62


class WorkerRefuses(Request, frozen=True):
    """refuse job, with the worker that the gateway recognised."""

    worker_id: WorkerId
    attempts: list[Refusal]


class WorkerFinished(Request, frozen=True):
    """jobFinished, likewise."""

    worker_id: WorkerId
    attempts: list[Finished]


class WorkerBeats(Request, frozen=True):
    """heartbeat, likewise, with the worker's environment."""

    worker_id: WorkerId
    environment: str
    attempts: list[AttemptId]


class Release(Request, frozen=True):
    """A worker's new incarnation answers for `keep` only."""

    worker_id: WorkerId
    incarnation: Incarnation
    keep: Annotated[list[AttemptId], Meta(max_length=10_000)]


class ToStart(Request, frozen=True):
    """A worker asks the registry for the permission to start these."""

    worker_id: WorkerId
    attempts: Annotated[list[AttemptId], Meta(max_length=10_000)]


class Unstartable(Answer, frozen=True):
    """Those that it must not start."""

    attempts: list[AttemptId]


class Offset(Answer, frozen=True):
    """How many bytes of an upload are stored."""

    offset: int


class JobsInnerHttp:
    """The routes."""

    def __init__(self, jobs: JobService) -> None:
        self._jobs = jobs

    def endpoints(self) -> list[Endpoint]:
        """What is served, to Rota's own services alone."""
        base, bytes_of = "/internal/v1", "/internal/v1/attempts/{attempt_id}"
        upload, given = f"{bytes_of}/upload", f"{bytes_of}/input"
        whose = {"worker_id": "the worker that the gateway recognised", "path": "left out: the log"}
        since, batch = {"after": "a mark", "wait_s": "0 to 60"}, {"limit": "1 to 10000", "wait_s": "0 to 60"}
        get, refuse, finished = f"{base}/get-job", f"{base}/refuse-job", f"{base}/job-finished"
        received = JobFinishedReceived
        return [
            Endpoint("POST", get, self.get_job, "getJobForWorker", SERVICES, GetJobForWorker, Given),
            Endpoint("GET", f"{base}/arrivals", self.arrivals, "what came", SERVICES, None, Arrivals, queries=since),
            Endpoint("POST", refuse, self.refuse_job, "refuse job", SERVICES, WorkerRefuses, RefuseAccepted),
            Endpoint("POST", finished, self.job_finished, "jobFinished", SERVICES, WorkerFinished, received),
            Endpoint("POST", f"{base}/heartbeat", self.heartbeat, "heartbeat", SERVICES, WorkerBeats, Renewed),
            Endpoint("PATCH", upload, self.upload, "append", SERVICES, bytes, Offset, queries=whose),
            Endpoint("GET", upload, self.offset, "stored offset", SERVICES, None, Offset, queries=whose),
            Endpoint("GET", given, self.input, "an input", SERVICES, None, bytes, queries=whose),
            Endpoint("GET", f"{given}-size", self.input_size, "its size", SERVICES, None, Offset, queries=whose),
            Endpoint("POST", f"{base}/release", self.release, "release", SERVICES, Release),
            Endpoint("POST", f"{base}/unstartable", self.unstartable, "not to start", SERVICES, ToStart, Unstartable),
            Endpoint("GET", f"{base}/ended", self.ended, "what ended", SERVICES, None, EndedJobs, queries=batch),
            Endpoint("POST", f"{base}/decide", self.decide, "what follows", SERVICES, Decisions),
            Endpoint("POST", f"{base}/policies", self.announce, "the scheduler's policies", SERVICES, Announcement),
        ]

    async def get_job(self, call: Call) -> Given:
        return await self._jobs.get_job_for_worker(await call.body(GetJobForWorker))

    async def arrivals(self, call: Call) -> Arrivals:
        after = call.count("after", -1, -1, _MARK_MAX)
        return await self._jobs.arrivals(after, call.number("wait_s", 0, 0, _WAIT_S_MAX))

    async def refuse_job(self, call: Call) -> RefuseAccepted:
        asked = await call.body(WorkerRefuses)
        return await self._jobs.refuse_job(asked.worker_id, asked.attempts)

    async def job_finished(self, call: Call) -> JobFinishedReceived:
        asked = await call.body(WorkerFinished)
        return await self._jobs.job_finished(asked.worker_id, asked.attempts)

    async def heartbeat(self, call: Call) -> Renewed:
        asked = await call.body(WorkerBeats)
        return await self._jobs.heartbeat(asked.worker_id, asked.environment, asked.attempts)

    async def upload(self, call: Call) -> Offset:
        offset = parse_offset(call.request.headers.get("upload-offset"), "Upload-Offset")
        path = call.request.query_params.get("path")
        stored = await self._jobs.upload(_worker(call), _attempt(call), path, offset, call.request.stream())
        return Offset(stored)

    async def offset(self, call: Call) -> Offset:
        path = call.request.query_params.get("path")
        return Offset(await self._jobs.upload_offset(_worker(call), _attempt(call), path))

    async def input(self, call: Call) -> Response:
        path = call.request.query_params.get("path", "")
        content = await self._jobs.input(_worker(call), _attempt(call), path)
        wanted = call.request.headers.get("range")
        return bytes_response(wanted, content.size_bytes, content.read, {}, "application/octet-stream")

    async def input_size(self, call: Call) -> Offset:
        path = call.request.query_params.get("path", "")
        return Offset((await self._jobs.input(_worker(call), _attempt(call), path)).size_bytes)

    async def release(self, call: Call) -> Answered:
        asked = await call.body(Release)
        await self._jobs.release(asked.worker_id, asked.incarnation, asked.keep)
        return None

    async def unstartable(self, call: Call) -> Unstartable:
        asked = await call.body(ToStart)
        return Unstartable(await self._jobs.unstartable(asked.worker_id, asked.attempts))

    async def ended(self, call: Call) -> EndedJobs:
        limit = call.count("limit", 100, 1, _ENDED_MAX)
        return EndedJobs(await self._jobs.ended(limit, call.number("wait_s", 0, 0, _WAIT_S_MAX)))

    async def decide(self, call: Call) -> Answered:
        await self._jobs.decide((await call.body(Decisions)).decisions)
        return None

    async def announce(self, call: Call) -> Answered:
        await self._jobs.announce((await call.body(Announcement)).policies)
        return None


def _worker(call: Call) -> WorkerId:
    worker = call.request.query_params.get("worker_id")
    if not worker:
        raise InvalidRequest.of("worker_id", "is missing")
    return WorkerId(worker)


def _attempt(call: Call) -> AttemptId:
    return AttemptId(call.part("attempt_id"))
