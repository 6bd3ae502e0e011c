"""A real worker as a process of its own, and what is left of it: for tests against the fake server."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from waiting import until_true
from worker.fake_server import FakeServer

MAIN = """
import json, sys
from pathlib import Path
from rota.worker.daemon import run
from rota.worker.options import WorkerOptions
told = json.loads(sys.argv[1])
sys.exit(run(WorkerOptions(**{**told, "work_dir": Path(told["work_dir"])})))
"""


class WorkerProcess:
    """`rota worker` without its command line. Quick by default: short pauses, small margins."""

    def __init__(self, server: FakeServer, work_dir: Path, **options: Any) -> None:  # noqa: ANN401  (options)
        self.server = server
        self.work_dir = work_dir
        self.options: dict[str, Any] = {
            "server_url": server.url, "token": "enrol-me", "name": "w", "slots": 2, "labels": {},
            "first_heartbeat_s": 0.3, "stop_margin_s": 0.2, "backoff_s_max": 0.5, "farewell_s": 2,
        } | options  # fmt: skip
        self.environment = dict(os.environ)
        self.process: subprocess.Popen[bytes] | None = None
        self.said_file = work_dir.with_name(work_dir.name + ".said")

    def start(self, **options: Any) -> "WorkerProcess":  # noqa: ANN401  (options)
        """Once more, where it ended."""
        told = json.dumps(self.options | options | {"work_dir": str(self.work_dir)})
        with self.said_file.open("ab") as said:
            self.process = subprocess.Popen([sys.executable, "-c", MAIN, told], stderr=said, env=self.environment)
        return self

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def said(self) -> str:
        return self.said_file.read_text()

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    async def ended(self, within_s: float = 15) -> int:
        """Its exit code."""
        assert self.process is not None
        return await asyncio.to_thread(self.process.wait, within_s)

    def shepherds(self) -> list[int]:
        """Living shepherds of this work folder."""
        wanted = [b"-m", b"rota.worker.shepherd"]
        return [
            pid
            for pid, line in command_lines()
            if all(part in line for part in wanted) and line[-1] == os.fsencode(self.work_dir)
        ]

    def processes_of(self, attempt: str) -> list[int]:
        """Living processes that say in their environment that they are this attempt's."""
        marker = f"/{attempt}/result".encode()
        return [pid for pid in living() if marker in read(f"/proc/{pid}/environ")]

    def end(self) -> None:
        """Nothing of it survives a test."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in self.shepherds():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


T = TypeVar("T")
MakeWorker = Callable[..., WorkerProcess]


def is_alive(pid: int) -> bool:
    """Neither gone nor a zombie."""
    return read(f"/proc/{pid}/stat").rpartition(b") ")[2][:1] not in {b"", b"Z", b"X"}


async def gone(pid: int, within_s: float = 5) -> None:
    """Raises AssertionError where it lives on."""
    await eventually(lambda: not is_alive(pid), within_s, f"process {pid} lives on")


async def eventually(what: Callable[[], T], within_s: float = 10, why: str = "") -> T:
    """The first true answer, asked for while the fake server goes on answering."""

    async def ask() -> T:
        return what()

    return await until_true(ask, within_s, why)


async def number_in(path: Path) -> int:
    """What a job wrote there, as soon as it did."""
    return int(await eventually(lambda: path.exists() and path.read_text().endswith("\n") and path.read_text()) or 0)


def living() -> Iterator[int]:
    """All processes."""
    return (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and is_alive(int(path.name)))


def command_lines() -> Iterator[tuple[int, list[bytes]]]:
    """All processes with their command lines."""
    return ((pid, read(f"/proc/{pid}/cmdline").rstrip(b"\0").split(b"\0")) for pid in living())


def read(path: str) -> bytes:
    """What a file of /proc says; nothing where the process is gone."""
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""
