"""Records the conversation of this version: `make record`. It is kept, and replayed in the tests of later versions."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

import rota
from upgrade import stage
from upgrade.conversation import ANSWER_HEADERS, FOLDER, REQUEST_HEADERS, SERVICES, Body, Conversation, Step
from upgrade.play import play

TOKENS = {"token", "password"}


class Recorder:
    """A proxy before each service that writes down what passes, one request after the other."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.urls: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.stage: stage.Stage
        self.session: aiohttp.ClientSession
        self._runners: list[web.AppRunner] = []

    async def open(self) -> None:
        self.session = aiohttp.ClientSession(auto_decompress=False)
        for service in SERVICES:
            app = web.Application(client_max_size=2**30)
            app.router.add_route("*", "/{path:.*}", self._passing(service))
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self._runners.append(runner)
            self.urls[service] = f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def close(self) -> None:
        for runner in self._runners:
            await runner.cleanup()
        await self.session.close()

    def url(self, service: str) -> str:
        return self.urls[service]

    @property
    def admin_token(self) -> str:
        return self.stage.admin_token

    async def do(self, what: str, service: str) -> None:
        self.steps.append(Step(service, do=what))
        await asyncio.to_thread(self.stage.do, what, service)

    def _passing(self, service: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def on(request: web.Request) -> web.StreamResponse:
            body = await request.read()
            headers = {name: request.headers[name] for name in REQUEST_HEADERS if name in request.headers}
            url = self.stage.url(service) + request.raw_path
            try:
                async with self.session.request(request.method, url, data=body, headers=headers) as response:
                    content = await response.read()
            except aiohttp.ClientError:
                assert request.transport is not None
                request.transport.abort()  # as if nobody were there; not a part of the conversation
                return web.Response()
            told = {name: response.headers[name] for name in ANSWER_HEADERS if name in response.headers}
            self.steps.append(
                Step(
                    service, "", request.method, request.raw_path, headers,
                    Body.of(body, headers.get("content-type", "")), response.status, told,
                    Body.of(content, told.get("content-type", "")),
                )
            )  # fmt: skip
            return web.Response(status=response.status, body=content, headers=told)

        return on

    def hide(self) -> None:
        """Addresses and tokens become names."""
        names = {self.admin_token: "token-00"} | {url: f"http://{service}" for service, url in self.urls.items()}
        for step in self.steps:
            for secret in secrets(step.answer.content):
                names.setdefault(secret, f"token-{len(names):02}")
        self.steps = [hidden(step, names) for step in self.steps]


def secrets(content: Any) -> list[str]:  # noqa: ANN401  (any JSON)
    """Tokens and passwords anywhere in it."""
    if isinstance(content, dict):
        own = [value for key, value in content.items() if key in TOKENS and isinstance(value, str)]
        return own + [one for value in content.values() for one in secrets(value)]
    return [one for value in content for one in secrets(value)] if isinstance(content, list) else []


def hidden(step: Step, names: dict[str, str]) -> Step:
    """The same with names in place of secrets; a Basic pair is spelled out, as `Basic USER:token-N`."""
    replaced = renamed(step.__dict__ | {"body": step.body.content, "answer": step.answer.content}, names)
    return Step(
        **replaced
        | {"body": Body(step.body.kind, replaced["body"]), "answer": Body(step.answer.kind, replaced["answer"])}
    )


def renamed(value: Any, names: dict[str, str]) -> Any:  # noqa: ANN401  (any JSON)
    """Every text in it with the names in place."""
    if isinstance(value, dict):
        return {key: renamed(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [renamed(inner, names) for inner in value]
    if not isinstance(value, str):
        return value
    value = spelled_out(value)
    for old, new in names.items():
        value = value.replace(old, new)
    return value


def spelled_out(header: str) -> str:
    """`Basic …` readable, so that names can be put into it."""
    scheme, _, pair = header.partition(" ")
    return f"Basic {base64_text(pair)}" if scheme == "Basic" and pair else header


def base64_text(text: str) -> str:
    """What it encodes."""
    return Body("base64", text).raw.decode()


async def record(folder: Path) -> Conversation:
    """One, of this version."""
    recorder = Recorder()
    await recorder.open()
    try:
        recorder.stage = await asyncio.to_thread(stage.Stage, folder, recorder.urls)
        try:
            await play(recorder)
            recorder.hide()
        finally:
            await asyncio.to_thread(recorder.stage.close)
    finally:
        await recorder.close()
    return Conversation(rota.__version__, recorder.steps)


def main() -> None:
    """Write it."""
    with tempfile.TemporaryDirectory() as folder:
        conversation = asyncio.run(record(Path(folder)))
    path = FOLDER / f"{conversation.version}.json"
    conversation.save(path)
    print(f"{len(conversation.steps)} steps in {path}")  # noqa: T201  (for who made it)


if __name__ == "__main__":
    main()
