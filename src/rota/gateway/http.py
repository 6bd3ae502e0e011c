"""/gateway/v1: what workers call. Source: protocol.md, "Worker's side"."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from starlette.requests import ClientDisconnect
from starlette.responses import Response

from rota.gateway.service import GatewayService
from rota.http.ranges import bytes_response
from rota.http.routes import WORKERS, Answered, Call, Endpoint
from rota.protocol.get_job import GetJob, Offers
from rota.protocol.heartbeat import Heartbeat, Renewed
from rota.protocol.ids import AttemptId
from rota.protocol.job_finished import JobFinished, JobFinishedReceived
from rota.protocol.paths import check_path
from rota.protocol.problems import Unavailable
from rota.protocol.refuse_job import RefuseAccepted, RefuseJob
from rota.protocol.wire import parse_offset

T = TypeVar("T")


class GatewayHttp:
    """The routes."""

    def __init__(self, gateway: GatewayService) -> None:
        self._gateway = gateway

    def endpoints(self) -> list[Endpoint]:
        """What is served, by whom it may be called."""
        base, attempt = "/gateway/v1", "/gateway/v1/attempts/{attempt_id}"
        artifact, given = f"{attempt}/artifacts/{{path:path}}", f"{attempt}/inputs/{{path:path}}"
        refused, finished = f"{base}/refuse-job", f"{base}/job-finished"
        return [
            Endpoint("POST", f"{base}/get-job", self.get_job, "getJob", WORKERS, GetJob, Offers),
            Endpoint("POST", refused, self.refuse_job, "refuse job", WORKERS, RefuseJob, RefuseAccepted),
            Endpoint("POST", finished, self.job_finished, "jobFinished", WORKERS, JobFinished, JobFinishedReceived),
            Endpoint("POST", f"{base}/heartbeat", self.heartbeat, "heartbeat", WORKERS, Heartbeat, Renewed),
            Endpoint("PATCH", f"{attempt}/log", self.upload, "append to the log", WORKERS, bytes),
            Endpoint("HEAD", f"{attempt}/log", self.offset, "the log's offset", WORKERS),
            Endpoint("PATCH", artifact, self.upload, "append to an artifact", WORKERS, bytes),
            Endpoint("HEAD", artifact, self.offset, "an artifact's offset", WORKERS),
            Endpoint("GET", given, self.input, "an input's bytes", WORKERS, None, bytes),
        ]

    async def get_job(self, call: Call) -> Answered:
        ask = await call.body(GetJob)
        try:
            offers = await _until_gone(call, self._gateway.get_job(call.caller, call.incarnation, ask))
        except Unavailable as problem:  # flows.md, "Job has an error": the worker sees noJob
            headers = {"Retry-After": str(problem.retry_after_s), "Rota-Degraded": "job"}
            return Response(status_code=204, headers=headers)
        return Offers(offers) if offers else None

    async def refuse_job(self, call: Call) -> RefuseAccepted:
        return await self._gateway.refuse_job(call.caller, (await call.body(RefuseJob)).attempts)

    async def job_finished(self, call: Call) -> JobFinishedReceived:
        return await self._gateway.job_finished(call.caller, (await call.body(JobFinished)).attempts)

    async def heartbeat(self, call: Call) -> Renewed:
        return await self._gateway.heartbeat(call.caller, (await call.body(Heartbeat)).attempts)

    async def upload(self, call: Call) -> Response:
        offset = parse_offset(call.request.headers.get("upload-offset"), "Upload-Offset")
        content = call.request.stream()
        stored = await self._gateway.upload(call.caller, _attempt(call), _path(call), offset, content)
        return Response(status_code=204, headers={"Upload-Offset": str(stored)})

    async def offset(self, call: Call) -> Response:
        stored = await self._gateway.upload_offset(call.caller, _attempt(call), _path(call))
        return Response(status_code=204, headers={"Upload-Offset": str(stored), "Cache-Control": "no-store"})

    async def input(self, call: Call) -> Response:
        content = await self._gateway.input(call.caller, _attempt(call), check_path(call.part("path"), "path"))
        wanted = call.request.headers.get("range")
        return bytes_response(wanted, content.size_bytes, content.read, {}, "application/octet-stream")


def _attempt(call: Call) -> AttemptId:
    return AttemptId(call.part("attempt_id"))


def _path(call: Call) -> str | None:
    """The artifact's path; None is the log."""
    path = call.request.path_params.get("path")
    return None if path is None else check_path(path, "path")


async def _until_gone(call: Call, answer: Awaitable[T]) -> T:
    """The answer; given up as soon as the worker that waits for it has gone, so that no job is leased to nobody."""
    working = asyncio.ensure_future(answer)
    gone = asyncio.ensure_future(call.request.receive())  # the body was read: the next word is a disconnect
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return await working
    finally:
        gone.cancel()
        working.cancel()
