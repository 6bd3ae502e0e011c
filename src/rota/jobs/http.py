"""/api/v1/jobs and /api/v1/workers: thin routes of the user's side. Source: protocol.md, "the user's side"."""

import base64
import binascii
from urllib.parse import quote
from uuid import UUID

import msgspec
from starlette.responses import Response, StreamingResponse

from rota.http.ranges import bytes_response
from rota.http.routes import ADMINS, PEOPLE, SUBMITTERS, Answered, Call, Endpoint, json_response
from rota.jobs.archive import tar_gz
from rota.jobs.desk import Desk
from rota.jobs.draw import mermaid, plantuml
from rota.jobs.sse import event_stream, resume_offset
from rota.jobs.tries import Begin
from rota.protocol.flow import Flow
from rota.protocol.get_job import WAIT_S_MAX
from rota.protocol.ids import JobId, WorkerId
from rota.protocol.job import LIST_MAX, ArtifactList, Job, JobList, SubmitMany, Submitted
from rota.protocol.participants import Fleet
from rota.protocol.problems import InvalidRequest
from rota.protocol.spec import LATER, SubmittedSpec
from rota.protocol.states import JobState, Verdict
from rota.protocol.wire import Timestamp, parse_timestamp, read_request, timestamp
from rota.protocol.worker import Worker, WorkerList
from rota.storage.stores.jobs import JobFilter

KEY_LENGTH_MAX = 200
_FILTERS = {
    "state": "a job state",
    "verdict": "succeeded or failed",
    "environment": "a name",
    "name": "the job's name",
    "tag": "key:value; may be given several times",
    "submitted_after": "RFC 3339",
    "schedule": "a schedule's name: its runs",
    "limit": f"1 to {LIST_MAX}",
    "cursor": "next_cursor of the page before",
    "parent": "an array's id: its parts alone",
    "parts": "false: no part of an array",
}
_RETRY = {"only": "failed: of an array, the parts that failed"}


class JobsHttp:
    """The routes."""

    def __init__(self, desk: Desk, fleet: Fleet) -> None:
        self._desk, self._fleet = desk, fleet

    def endpoints(self) -> list[Endpoint]:
        """What is served, by whom it may be called."""
        jobs, one = "/api/v1/jobs", "/api/v1/jobs/{job_id}"
        workers = "/api/v1/workers"
        log = {"attempt": "a try's number", "from_attempt": "all tries from this one on, for event streams"}
        log |= {"encoding": "base64, for event streams"}
        wait = {"wait_s": f"0 to {WAIT_S_MAX}: answer when the job is over, at the latest then"}
        archive, artifact = f"{one}/artifacts.tar.gz", f"{one}/artifacts/{{path:path}}"
        return [
            Endpoint("POST", jobs, self.submit, "submit one spec, or {jobs: […]}", SUBMITTERS, SubmittedSpec, Job, 201),
            Endpoint("GET", jobs, self.jobs, "list, newest first", PEOPLE, None, JobList, queries=_FILTERS),
            Endpoint("GET", one, self.job, "one job, with its attempts", PEOPLE, None, Job, queries=wait),
            Endpoint("GET", f"{one}/log", self.log, "its log, or live as SSE", PEOPLE, None, bytes, queries=log),
            Endpoint("GET", f"{one}/artifacts", self.artifacts, "its artifacts", PEOPLE, None, ArtifactList),
            Endpoint("GET", archive, self.archive, "all artifacts", PEOPLE, None, bytes),
            Endpoint("GET", artifact, self.artifact, "one artifact", PEOPLE, None, bytes),
            Endpoint("GET", f"{one}/flow", self.flow, "the messages it really caused", PEOPLE, None, Flow),
            Endpoint("POST", f"{one}/cancel", self.cancel, "stop it", SUBMITTERS, None, Job),
            Endpoint("POST", f"{one}/retry", self.retry, "run it once more", SUBMITTERS, None, Job, queries=_RETRY),
            Endpoint(
                "GET",
                workers,
                self.workers,
                "workers, as the registry knows them",
                PEOPLE,
                None,
                WorkerList,
                queries={"environment": "a name"},
            ),
            Endpoint("GET", f"{workers}/{{worker_id}}", self.worker, "one worker", PEOPLE, None, Worker),
            Endpoint("POST", f"{workers}/{{worker_id}}/drain", self.drain, "drain it", ADMINS, None, Worker),
        ]

    async def submit(self, call: Call) -> Answered:
        body = await call.bytes()
        key = call.request.headers.get("idempotency-key")
        if key is not None and not 1 <= len(key) <= KEY_LENGTH_MAX:
            raise InvalidRequest.of("Idempotency-Key", "has 1 to 200 characters")
        if _is_many(body):
            many = read_request(body, SubmitMany, LATER)
            made = await self._desk.submit(call.caller, many.jobs, key, body, many=True)
            return json_response(Submitted(made), 201)
        spec = read_request(body, SubmittedSpec, LATER)
        [job] = await self._desk.submit(call.caller, [spec], key, body, many=False)
        inputs = [
            file if file.reference is None else kept for file, kept in zip(spec.inputs, job.spec.inputs, strict=True)
        ]
        whole = msgspec.structs.replace(job, spec=msgspec.structs.replace(job.spec, inputs=inputs))
        return json_response(whole, 201, {"Location": f"/api/v1/jobs/{job.id}"})

    async def jobs(self, call: Call) -> JobList:
        wanted = _filter(call)
        one_more = msgspec.structs.replace(wanted, limit=wanted.limit + 1)
        found = await self._desk.jobs(call.caller, one_more)
        page = found[: wanted.limit]
        cursor = base64.urlsafe_b64encode(page[-1].id.encode()).decode() if len(found) > len(page) else None
        return JobList(page, cursor)

    async def job(self, call: Call) -> Job:
        wait_s = call.number("wait_s", 0, 0, WAIT_S_MAX)
        if wait_s:
            return await self._desk.ended(call.caller, _job(call), wait_s)
        return await self._desk.job(call.caller, _job(call))

    async def log(self, call: Call) -> Response:
        asked = call.query("attempt", "from_attempt", "encoding")
        number, first = (
            call.count(name, 0, 1, 2**31) if name in asked else None for name in ("attempt", "from_attempt")
        )
        if "text/event-stream" not in call.request.headers.get("accept", ""):
            if first is not None:
                raise InvalidRequest.of("from_attempt", "is for event streams; send Accept: text/event-stream")
            source = await self._desk.log(call.caller, _job(call), number)
            wanted = call.request.headers.get("range")
            return bytes_response(wanted, source.size_bytes, source.read, {}, "text/plain; charset=utf-8")
        encoding = asked.get("encoding", "text")
        if encoding not in {"text", "base64"}:
            raise InvalidRequest.of("encoding", "is `text` (the default) or `base64`")
        if number is not None and first is not None:
            raise InvalidRequest.of("from_attempt", "is given beside `attempt`, which is that try alone; leave one out")
        begin = Begin(resume_offset(call.request.headers.get("last-event-id")), number, first)
        # What is not there is told before the stream begins.
        await self._desk.check_resumable(call.caller, _job(call), begin)
        followed = self._desk.follow(call.caller, _job(call), begin)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        events = event_stream(followed, begin.offset, in_base64=encoding == "base64")
        return StreamingResponse(events, 200, headers, media_type="text/event-stream")

    async def artifacts(self, call: Call) -> ArtifactList:
        return ArtifactList((await self._desk.artifacts(call.caller, _job(call)))[1])

    async def artifact(self, call: Call) -> Response:
        artifact, source = await self._desk.artifact(call.caller, _job(call), call.part("path"))
        etag = f'"{artifact.sha256}"'
        name = quote(artifact.path.rpartition("/")[2])
        headers = {"ETag": etag, "Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
        if call.request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"ETag": etag})
        wanted = call.request.headers.get("range")
        if call.request.headers.get("if-range", etag) != etag:
            wanted = None
        return bytes_response(wanted, source.size_bytes, source.read, headers, "application/octet-stream")

    async def archive(self, call: Call) -> Response:
        files = await self._desk.all_artifacts(call.caller, _job(call))
        headers = {"Content-Disposition": f'attachment; filename="{_job(call)}.tar.gz"'}
        return StreamingResponse(tar_gz(files), 200, headers, media_type="application/gzip")

    async def flow(self, call: Call) -> Response:
        found = await self._desk.flow(call.caller, _job(call))
        accept = call.request.headers.get("accept", "")
        if "text/vnd.plantuml" in accept:
            return Response(plantuml(found), media_type="text/vnd.plantuml")
        if "text/vnd.mermaid" in accept:
            return Response(mermaid(found), media_type="text/vnd.mermaid")
        return json_response(found)

    async def cancel(self, call: Call) -> Job:
        return await self._desk.cancel(call.caller, _job(call))

    async def retry(self, call: Call) -> Job:
        only = call.query(*_RETRY).get("only")
        if only not in {None, "failed"}:
            raise InvalidRequest.of("only", "is `failed`; left out, all is run again")
        return await self._desk.retry(call.caller, _job(call), only_failed=only is not None)

    async def workers(self, call: Call) -> WorkerList:
        asked = call.query("environment").get("environment")
        own = call.caller.environment
        return WorkerList(await self._fleet.workers(own if own is not None else asked))

    async def worker(self, call: Call) -> Worker:
        return await self._fleet.worker(WorkerId(call.part("worker_id")), call.caller.environment)

    async def drain(self, call: Call) -> Worker:
        return await self._fleet.drain(WorkerId(call.part("worker_id")), call.caller.environment)


def _job(call: Call) -> JobId:
    return JobId(call.part("job_id"))


class _Many(msgspec.Struct):
    """Whether a body is a submission of several: only the one field is looked at."""

    jobs: msgspec.Raw = msgspec.Raw(b"")


def _is_many(body: bytes) -> bool:
    try:
        return len(msgspec.json.decode(body, type=_Many).jobs) > 0
    except (msgspec.DecodeError, RecursionError):
        return False  # the strict reader will say what is wrong


def _filter(call: Call) -> JobFilter:
    given = call.query(*_FILTERS)
    after = given.get("submitted_after")
    tags = call.request.query_params.getlist("tag")
    before = _job_id_of(given["cursor"]) if "cursor" in given else None
    try:
        submitted_after = None if after is None else _moment(after.replace(" ", "+"))
    except (ValueError, msgspec.ValidationError):
        raise InvalidRequest.of("submitted_after", "is not a time such as 2026-11-23T12:00:00Z") from None
    for field, text, known in (("state", given.get("state"), JobState), ("verdict", given.get("verdict"), Verdict)):
        if text is not None and text not in set(known):
            raise InvalidRequest.of(field, f"is one of {', '.join(known)}")
    if any(":" not in tag for tag in tags):
        raise InvalidRequest.of("tag", "is key:value")
    state = JobState(given["state"]) if "state" in given else None
    limit = call.count("limit", 100, 1, LIST_MAX)
    parts = given.get("parts", "true")
    if parts not in {"true", "false"}:
        raise InvalidRequest.of("parts", "is `true` (the default) or `false`")
    return JobFilter(
        limit, state, given.get("verdict"), given.get("environment"), given.get("name"), tags, submitted_after,
        given.get("schedule"), before, given.get("parent"), parts == "true",
    )  # fmt: skip


def _job_id_of(cursor: str) -> str:
    """The last job of the page before. Raises InvalidRequest where the cursor was not made here."""
    try:
        return str(UUID(base64.b64decode(cursor, altchars=b"-_", validate=True).decode("ascii")))
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise InvalidRequest.of("cursor", "is not one that this server gave") from None


def _moment(text: str) -> str:
    """The time as it is stored. Raises ValueError, ValidationError where it is none of RFC 3339's."""
    return timestamp(parse_timestamp(msgspec.convert(text, Timestamp)))
