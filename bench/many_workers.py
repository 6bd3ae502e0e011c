"""Thousands of idle workers in one small process: raw protocols of asyncio, each with a held getJob. For measurements.

    many_workers.py HOST:PORT --token ENROLMENT_TOKEN --workers N --wait_s S

Prints `ready` when every getJob is on its way. Then a line an offer: `offer MONOTONIC_S`; it is worked on and finished
as the diagram has it, and that worker asks again. A line on stdin, `statuses SECONDS`: each worker says readyForWork
once in so many seconds, from now on. Ends when stdin is closed.
"""

import argparse
import asyncio
import json
import resource
import sys
import time
from collections import deque
from itertools import cycle

from no_op_worker import enrol, finished

HEAD_END = b"\r\n\r\n"


class Line(asyncio.Protocol):
    """One connection; requests go one after the other. What is answered is handed to who asked."""

    def __init__(self, address: str) -> None:
        self._address, self._received = address, b""
        self._asked: deque[asyncio.Future[tuple[int, bytes]]] = deque()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        for asked in self._asked:
            if not asked.done():
                asked.set_exception(exc or ConnectionResetError("the server has closed a connection"))

    def ask(self, path: str, token: str, message: object) -> asyncio.Future[tuple[int, bytes]]:
        """Status and body, when they have come."""
        body = json.dumps(message).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self._address}\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        asked: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        self._asked.append(asked)
        self._transport.write(head.encode() + body)
        return asked

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (head_end := self._received.find(HEAD_END)) >= 0:
            head = self._received[:head_end].lower()
            start, _, rest = head.partition(b"content-length:")
            size = int(rest.split(b"\r\n")[0]) if rest else 0
            end = head_end + len(HEAD_END) + size
            if len(self._received) < end:
                return
            body, self._received = self._received[head_end + len(HEAD_END) : end], self._received[end:]
            self._asked.popleft().set_result((int(start.split()[1]), body))


async def connected(address: str) -> Line:
    """A new connection."""
    host, port = address.rsplit(":", 1)
    _, line = await asyncio.get_running_loop().create_connection(lambda: Line(address), host, int(port))
    return line


async def live(line: Line, token: str, wait_s: float) -> None:
    """One worker: it asks and asks, and does what it is given."""
    while True:
        status, body = await line.ask("/gateway/v1/get-job", token, {"slots": 1, "wait_s": wait_s})
        if status == 204:
            continue
        told_at = time.monotonic()
        assert status == 200, body
        attempts = [offer["attempt_id"] for offer in json.loads(body)["jobs"]]
        print(f"offer {told_at}", flush=True)
        await line.ask("/registry/v1/status", token, {"status": "working", "attempts": attempts, "free_slots": 0})
        await line.ask("/gateway/v1/job-finished", token, {"attempts": list(map(finished, attempts))})
        await line.ask("/registry/v1/status", token, {"status": "ready_for_work", "attempts": [], "free_slots": 1})


async def say_statuses(lines: list[Line], tokens: list[str], every_s: float) -> None:
    """Each worker in turn says readyForWork, evenly over `every_s`."""
    loop, number = asyncio.get_running_loop(), 0
    began_s, lines_in_turn = loop.time(), cycle(lines)
    while True:
        await asyncio.sleep(max(0.0, began_s + number * every_s / len(tokens) - loop.time()))
        said = {"status": "ready_for_work", "attempts": [], "free_slots": 1}
        await next(lines_in_turn).ask("/registry/v1/status", tokens[number % len(tokens)], said)
        number += 1


async def main() -> None:
    """All of them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("--token", required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--wait_s", type=float, default=60)
    asked = parser.parse_args()
    files = max(resource.getrlimit(resource.RLIMIT_NOFILE)[1], asked.workers + 1000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    tokens = enrol(asked.address, asked.token, asked.workers)
    lines = [await connected(asked.address) for _ in tokens]
    tasks = [asyncio.ensure_future(live(*one, asked.wait_s)) for one in zip(lines, tokens, strict=True)]
    print("ready", flush=True)
    commands = asyncio.ensure_future(read_commands(asked.address, tokens, tasks))
    done, _ = await asyncio.wait([commands, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


async def read_commands(address: str, tokens: list[str], tasks: list[asyncio.Task[None]]) -> None:
    """Until stdin is closed."""
    while command := await asyncio.to_thread(sys.stdin.readline):
        lines = [await connected(address) for _ in range(8)]
        tasks.append(asyncio.ensure_future(say_statuses(lines, tokens, float(command.split()[1]))))


if __name__ == "__main__":
    asyncio.run(main())
