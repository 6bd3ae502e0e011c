"""The present worker's and SDK's code understands an earlier server, and one of tomorrow. Source: guarantees.md, G14.

They hold the recorded conversation with a server that answers as the recorded one did. What they ask must be what was
asked then: an earlier server refuses a field that it does not know.
"""

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from upgrade.conversation import SERVICES, Body, Step, load, recorded
from upgrade.play import play

MAPS = {"env", "labels", "requires", "tags", "secrets", "shares", "value"}
"""Objects whose keys are the user's own."""
CHANCE = {"idempotency-key"}
TOMORROW = {"of_tomorrow": {"is": ["unknown"]}}


class RecordedServer:
    """Answers as it was recorded, one step after the other; `adorned`: with fields that nobody knows yet."""

    def __init__(self, steps: list[Step], *, adorned: bool) -> None:
        self.admin_token = "token-00"
        self.differs: list[str] = []
        self._steps: Iterator[Step] = iter(steps)
        self._adorned = adorned
        self._stopped: set[str] = set()
        self._urls: dict[str, str] = {}
        self._runners: list[web.AppRunner] = []

    async def open(self) -> None:
        """Three listeners."""
        for service in SERVICES:
            app = web.Application(client_max_size=2**30)
            app.router.add_route("*", "/{path:.*}", self._answering(service))
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self._runners.append(runner)
            self._urls[service] = f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def close(self) -> None:
        """None any more."""
        for runner in self._runners:
            await runner.cleanup()

    def url(self, service: str) -> str:
        """Where it is."""
        return self._urls[service]

    async def do(self, what: str, service: str) -> None:
        """As it was done then."""
        step = next(self._steps)
        assert (step.do, step.to) == (what, service)
        (self._stopped.add if what == "stop" else self._stopped.discard)(service)

    def _answering(self, service: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            body = await request.read()
            if service in self._stopped:
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            step = next(self._steps)
            self._check(step, service, request, body)
            content = step.answer.content
            if self._adorned and step.answer.kind == "json":
                content = adorned(content)
            raw = Body(step.answer.kind, content).raw
            for name, url in self._urls.items():
                raw = raw.replace(f"http://{name}".encode(), url.encode())
            return web.Response(status=step.status, body=raw, headers=step.answer_headers)

        return answer

    def _check(self, step: Step, service: str, request: web.Request, body: bytes) -> None:
        """What is asked now is what was asked then."""
        asked = Body.of(body, request.headers.get("content-type", ""))
        then = (step.to, step.method, step.path, step.body)
        now = (service, request.method, request.raw_path, asked)
        if then != now:
            self.differs.append(f"{now} in place of {then}")
        for name, value in step.headers.items():
            given = request.headers.get(name)
            if given is not None and given.startswith("Basic "):
                given = "Basic " + base64.b64decode(given[6:]).decode()
            if name not in CHANCE and given != value:
                self.differs.append(f"{request.raw_path}: {name}: {given!r} in place of {value!r}")


def adorned(value: Any, key: str = "") -> Any:  # noqa: ANN401  (any JSON)
    """With a field more in every object."""
    if isinstance(value, dict):
        return value if key in MAPS else {name: adorned(inner, name) for name, inner in value.items()} | TOMORROW
    return [adorned(inner, key) for inner in value] if isinstance(value, list) else value


@asynccontextmanager
async def served(path: Path, *, is_adorned: bool) -> AsyncIterator[RecordedServer]:
    server = RecordedServer(load(path).steps, adorned=is_adorned)
    await server.open()
    try:
        yield server
    finally:
        await server.close()


@pytest.mark.parametrize("is_adorned", [False, True], ids=["of-then", "of-tomorrow"])
@pytest.mark.parametrize("path", recorded(), ids=lambda path: path.stem)
async def test_the_present_worker_and_sdk_understand_the_answers(path: Path, *, is_adorned: bool) -> None:
    async with served(path, is_adorned=is_adorned) as server:
        await play(server)

        assert server.differs == []
        assert next(server._steps, None) is None  # noqa: SLF001  (all of it was said)
    assert json.dumps(adorned({"env": {"A": "b"}, "l": [{}]})).count("of_tomorrow") == 2
