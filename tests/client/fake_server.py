"""A fake server for the SDK's tests: it answers on a real socket with what a test tells it to, byte for byte."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from rota.world import SystemWorld


@dataclass(frozen=True)
class Asked:
    """A request that came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class FakeServer:
    """Each connection is given the next of `answers` and closed behind it; the last one is given for ever."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.asked: list[Asked] = []

    async def __aenter__(self) -> Self:
        self.server = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.server.close()
        await self.server.wait_closed()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in head[1:] if line}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.asked.append(Asked(method, path, headers, body))
        writer.write(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
        await writer.drain()
        writer.close()
        await writer.wait_closed()


def response(status: int, body: bytes, media_type: str, *headers: str) -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status} Said", f"Content-Type: {media_type}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


def answer(status: int, message: object, *headers: str) -> bytes:
    """A JSON answer."""
    return response(status, json.dumps(message).encode(), "application/json", *headers)


def problem(status: int, slug: str, detail: str, *headers: str) -> bytes:
    """A problem document."""
    body = {"type": f"https://rota.dev/problems/{slug}", "title": slug, "status": status, "detail": detail}
    return response(status, json.dumps(body).encode(), "application/problem+json", *headers)


def stream(*events: str) -> bytes:
    """The beginning of an event stream, that ends where the connection does."""
    head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    return (head + "".join(events)).encode()


def a_job(**more: object) -> dict[str, Any]:
    """A job as the API shows it."""
    job = {"id": "j1", "state": "queued", "verdict": None, "spec": {"command": ["true"]}, "result": None}
    return {**job, "submitted_at": "2026-11-23T12:00:00.000000Z", "submitted_by": "c1", "attempts": [], **more}


class HurriedWorld(SystemWorld):
    """A world in which sleeping takes no time and moves the clock; it remembers how long was slept."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return super().monotonic() + sum(self.slept)

    async def sleep(self, duration_s: float) -> None:
        self.slept.append(duration_s)
