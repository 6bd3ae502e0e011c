"""A fake gateway and registry over real sockets: records what a worker sends, answers as a test says.

It keeps no promise of the real ones: an offer is whatever a test put into the queue, and nothing is durable.
"""

# ruff: noqa: ARG002  (every answer has one signature, and few need all of it)
import asyncio
import base64
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Answer = Callable[[web.Request, Any], Awaitable[web.StreamResponse | None]]


@dataclass
class Call:
    """One request, as it came."""

    name: str
    body: Any
    headers: dict[str, str]
    answered: int = 0


@dataclass
class FakeServer:
    """`override[name]` answers in place of the usual; None from it means the usual."""

    heartbeat_s: float = 1.0
    lease_s: float = 10.0
    hold_s: float = 2.0
    url: str = ""
    calls: list[Call] = field(default_factory=list)
    queue: list[dict[str, Any]] = field(default_factory=list)
    override: dict[str, Answer] = field(default_factory=dict)
    finished: dict[str, dict[str, Any]] = field(default_factory=dict)
    uploads: dict[tuple[str, str], bytearray] = field(default_factory=dict)
    inputs: dict[tuple[str, str], bytes] = field(default_factory=dict)
    cancel: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    numbers: int = 0
    runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> None:
        app = web.Application(client_max_size=2**28)
        post = app.router.add_post
        post("/registry/v1/workers", self._recorded("enrol", self._enrol))
        post("/registry/v1/workers/renew", self._recorded("renew", self._renew))
        post("/registry/v1/status", self._recorded("status", self._status))
        post("/elsewhere", self._recorded("elsewhere", self._status))  # where a redirect may lead
        post("/gateway/v1/get-job", self._recorded("get-job", self._get_job))
        post("/gateway/v1/refuse-job", self._recorded("refuse-job", self._refuse))
        post("/gateway/v1/job-finished", self._recorded("job-finished", self._finish))
        post("/gateway/v1/heartbeat", self._recorded("heartbeat", self._heartbeat))
        attempt = "/gateway/v1/attempts/{attempt}"
        for path in (attempt + "/{what:log}", attempt + "/artifacts/{what:.+}"):
            app.router.add_route("PATCH", path, self._recorded("upload", self._upload))
            app.router.add_route("HEAD", path, self._recorded("offset", self._offset))
        app.router.add_get(attempt + "/inputs/{what:.+}", self._recorded("input", self._input))
        self.runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", port)
        await site.start()
        self.url = site.name.rstrip("/") if port else f"http://127.0.0.1:{self.runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self.runner is not None:
            await self.runner.cleanup()

    def offer(self, *command: str, **more: Any) -> str:  # noqa: ANN401  (fields of a spec)
        """Queue a job; returns the attempt's id. `files` are inputs."""
        self.numbers += 1
        attempt = f"attempt-{self.numbers}"
        files: dict[str, bytes] = more.pop("files", {})
        for path, content in files.items():
            self.inputs[attempt, path] = content
        spec = {"command": list(command), **more} if command else more
        self.queue.append(
            {
                "attempt_id": attempt, "job_id": f"job-{self.numbers}", "number": 1, "lease_s": self.lease_s,
                "spec": spec,
                "inputs": [
                    {"path": path, "size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                    for path, content in files.items()
                ],
            }
        )  # fmt: skip
        self.arrived.set()
        return attempt

    async def until(self, what: Callable[[], Any], within_s: float = 15) -> Any:  # noqa: ANN401  (what was found)
        """The first true answer of `what`, asked again after every call."""
        async with asyncio.timeout(within_s), self.news:
            while not (found := what()):
                await self.news.wait()
            return found

    async def report(self, attempt: str, within_s: float = 15) -> dict[str, Any]:
        """The jobFinished of an attempt."""
        found: dict[str, Any] = await self.until(lambda: self.finished.get(attempt), within_s)
        return found

    def named(self, name: str) -> list[Call]:
        return [call for call in self.calls if call.name == name]

    def order(self, *without: str) -> list[str]:
        """The messages so far in the diagram's words, a `status` with what it says."""
        names = [f"status: {call.body['status']}" if call.name == "status" else call.name for call in self.calls]
        return [name for name in names if name not in without]

    def log_of(self, attempt: str) -> bytes:
        log = self.finished[attempt]["log"]
        return base64.b64decode(log["inline"]) if log.get("inline") is not None else bytes(self.uploads[attempt, "log"])

    def _recorded(self, name: str, usual: Answer) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            raw = await request.read()
            body = json.loads(raw) if raw and request.method == "POST" else raw
            call = Call(name, body, dict(request.headers))
            self.calls.append(call)
            await self._tell()
            other = self.override.get(name)
            response = await other(request, body) if other else None
            response = response or await usual(request, body)
            call.answered = response.status if response else 0
            await self._tell()
            assert response is not None
            return response

        return answer

    async def _tell(self) -> None:
        async with self.news:
            self.news.notify_all()

    async def _enrol(self, request: web.Request, body: Any) -> web.Response:  # noqa: ANN401
        if request.headers.get("Authorization") != "Bearer enrol-me":
            return problem(401, "unauthenticated")
        credential = {"method": "jwt", "token": "t1", "expires_at": None}
        answer: dict[str, Any] = {"worker_id": "w1", "environment": "default", "credential": credential}
        answer |= {"gateway_url": self.url, "registry_url": self.url, "heartbeat_s": self.heartbeat_s}
        return web.json_response(answer, status=201)

    async def _renew(self, request: web.Request, body: Any) -> web.Response:  # noqa: ANN401
        return web.json_response({"credential": {"method": "jwt", "token": "t2", "expires_at": None}})

    async def _status(self, request: web.Request, body: Any) -> web.Response:  # noqa: ANN401
        return web.json_response({"received": True, "unknown": 1})

    async def _get_job(self, request: web.Request, body: Any) -> web.Response:  # noqa: ANN401
        asked_at = asyncio.get_running_loop().time()
        if not self.queue:
            self.arrived.clear()
            try:
                async with asyncio.timeout(min(body["wait_s"], self.hold_s)):
                    await self.arrived.wait()
            except TimeoutError:
                return web.Response(status=204)
        jobs, self.queue = self.queue[: body["slots"]], self.queue[body["slots"] :]
        held_s = asyncio.get_running_loop().time() - asked_at  # the worker counts from before it asked
        leased = [{**job, "lease_s": job["lease_s"] + held_s} for job in jobs]
        return web.json_response({"jobs": leased}) if leased else web.Response(status=204)

    async def _refuse(self, request: web.Request, body: Any) -> web.Response:  # noqa: ANN401
        return web.json_response({"accepted": [one["attempt_id"] for one in body["attempts"]], "rejected": []})

    async def _finish(self, request: web.Request, body: Any) -> web.Response:  # noqa: ANN401
        self.finished.update((one["attempt_id"], one) for one in body["attempts"])
        return web.json_response({"received": [one["attempt_id"] for one in body["attempts"]], "rejected": []})

    async def _heartbeat(self, request: web.Request, body: Any) -> web.Response:  # noqa: ANN401
        answer = {"lease_s": self.lease_s, "cancel": sorted(self.cancel), "lost": sorted(self.lost)}
        return web.json_response(answer)

    async def _upload(self, request: web.Request, body: bytes) -> web.Response:
        stored = self.uploads.setdefault((request.match_info["attempt"], request.match_info["what"]), bytearray())
        if int(request.headers["Upload-Offset"]) != len(stored):
            return problem(409, "offset-mismatch", offset=len(stored))
        stored += body
        return web.Response(status=204, headers={"Upload-Offset": str(len(stored))})

    async def _offset(self, request: web.Request, body: bytes) -> web.Response:
        stored = self.uploads.get((request.match_info["attempt"], request.match_info["what"]), b"")
        return web.Response(status=200, headers={"Upload-Offset": str(len(stored))})

    async def _input(self, request: web.Request, body: bytes) -> web.Response:
        return web.Response(body=self.inputs[request.match_info["attempt"], request.match_info["what"]])


def problem(status: int, slug: str, **more: Any) -> web.Response:  # noqa: ANN401  (members of the problem)
    """RFC 9457, as the real services send it."""
    body = {"type": f"https://rota.dev/problems/{slug}", "title": slug, "status": status, "detail": slug, **more}
    return web.json_response(body, status=status, content_type="application/problem+json")
