"""A server and a worker as two child processes of this one: `rota dev` and `rota demo`."""

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from rota.cli.exit_codes import Code
from rota.cli.failure import Failure
from rota.client.profile import TOKEN_FILE, URL_FILE, Endpoint, first_line
from rota.client.transport import Broken, Call, NotUnderstood, Transport
from rota.protocol.problems import Problem
from rota.worker.link import Link, ShepherdGone
from rota.worker.shepherd.door import lock
from rota.worker.shepherd.messages import Leave

READY_S = 30.0
LOOK_AGAIN_S = 0.02
"""How often a starting server is asked whether it is ready; it cannot tell before it listens."""
DRAIN_S = 3.0
"""How long what runs may end by itself once the household is told to stop."""
CANCEL_S = 30.0
"""How long what was told to stop then has for its grace, and the worker for its reports."""
STOP_S = 10.0
TAIL_LINES = 5
WORK_FOLDER = "worker"
PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


class Child:
    """`rota …` as a process of its own; what it says goes into a file."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name, self.process, self.log = name, process, log

    @classmethod
    async def start(cls, name: str, arguments: list[str], log: Path, environ: Mapping[str, str]) -> Self:
        """Start it. Its own session keeps a Ctrl-C at the terminal from it: its parent decides when it ends."""
        libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

        def end_with_parent() -> None:  # at once: a worker that drains would keep its folder from the next start
            if libc is not None:
                libc.prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)

        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "rota", *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=output,
                stderr=output, env=dict(environ), start_new_session=True,
                preexec_fn=end_with_parent,
            )  # fmt: skip
        return cls(name, process, log)

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self.process.returncode is None

    def signal(self, number: signal.Signals) -> None:
        """Tell it, where it still runs."""
        if self.runs:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)

    async def ends_within(self, timeout_s: float) -> bool:
        """Whether it ended by itself in that time."""
        try:
            await asyncio.wait_for(self.process.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    async def kill(self) -> None:
        """End it and what it started, at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        await self.process.wait()

    def last_words(self) -> str:
        """The end of what it said."""
        lines = self.log.read_text("utf-8", "replace").splitlines()
        return " / ".join(line.strip() for line in lines[-TAIL_LINES:])


class Household:
    """A server and a worker below one folder; port 0 takes a free one. Leaving the block ends both."""

    def __init__(self, folder: Path, port: int, slots: int | None, worker_name: str) -> None:
        self.folder, self.port, self.slots, self.worker_name = folder, port, slots, worker_name
        self.server: Child | None = None
        self.worker: Child | None = None
        self.hurry = asyncio.Event()
        """Set: what still runs is killed now."""
        self.say: Callable[[str], None] = lambda _: None
        """Told what takes long when it stops."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.stop()

    async def start_server(self) -> None:
        """Come back when it is ready. Raises Failure with its last words where it is not."""
        arguments = ["server", "--data", str(self.folder), "--listen", f"127.0.0.1:{self.port}"]
        self.server = await Child.start("server", arguments, self.folder / "server.log", plain_environment())
        try:
            async with asyncio.timeout(READY_S):
                while not await is_ready(self.address):
                    if not self.server.runs:
                        raise died(self.server)
                    await asyncio.sleep(LOOK_AGAIN_S)
        except TimeoutError:
            raise Failure(
                f"The server was not ready after {READY_S:g} s.", f"It said: {self.server.last_words()}"
            ) from None

    @property
    def address(self) -> str | None:
        """Where the server answers; None while it has no port yet."""
        return f"http://127.0.0.1:{self.port}" if self.port else first_line(self.folder / URL_FILE)

    @property
    def token(self) -> str:
        """The administrator's."""
        token = first_line(self.folder / TOKEN_FILE)
        if token is None:
            raise Failure(f"{self.folder / TOKEN_FILE} holds no token.", "Move the folder away and start again.")
        return token

    async def start_worker(self, enrolment_token: str) -> None:
        """Start it; it is here when the registry lists it."""
        arguments = ["worker", "--server", self.address or "", "--name", self.worker_name]
        arguments += ["--work-dir", str(self.folder / WORK_FOLDER)]
        arguments += ["--slots", str(self.slots)] if self.slots else []
        environ = {**plain_environment(), "ROTA_TOKEN": enrolment_token}  # others may read a command line
        self.worker = await Child.start("worker", arguments, self.folder / "worker.log", environ)

    async def ended(self) -> Child:
        """The first of the two that ends by itself."""
        children = [child for child in (self.server, self.worker) if child is not None]
        waits = {asyncio.ensure_future(child.process.wait()): child for child in children}
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return waits[done.pop()]

    async def stop(self) -> None:
        """End the worker, then the server. What runs may end, then it is cancelled; nothing of either is left."""
        if self.worker is not None and self.worker.runs:
            self.worker.signal(signal.SIGTERM)
            if not await self._ends_within(self.worker, DRAIN_S):
                self.say("  stopping: jobs that still run are cancelled, with their grace      Ctrl-C again: kill them")
                self.worker.signal(signal.SIGTERM)
                if not await self._ends_within(self.worker, CANCEL_S):
                    self.say("  stopping: jobs that still run are killed, and count as lost")
                    await self.worker.kill()
                    await kill_jobs(self.folder / WORK_FOLDER)
        if self.server is not None and self.server.runs:
            self.server.signal(signal.SIGTERM)
            if not await self.server.ends_within(STOP_S):
                await self.server.kill()

    async def _ends_within(self, child: Child, timeout_s: float) -> bool:
        """Whether it ended by itself in that time; False, at once, in a hurry."""
        ending, hurry = asyncio.ensure_future(child.process.wait()), asyncio.ensure_future(self.hurry.wait())
        await asyncio.wait({ending, hurry}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        for task in (ending, hurry):
            task.cancel()
        return not child.runs


async def kill_jobs(work_dir: Path) -> None:
    """End what runs below the folder of a worker whose agent is gone, and the shepherd that watches over it."""
    held = lock(work_dir)  # the shepherd speaks with its holder alone
    if held is None:
        return  # another worker has taken the folder over, and what runs there
    link = Link(work_dir, STOP_S)
    try:
        hello = await link.connect()
        link.kill([job.attempt_id for job in hello.running])
        link.say(Leave())
        with contextlib.suppress(ShepherdGone, TimeoutError):
            async with asyncio.timeout(STOP_S):
                while True:  # it ends when nothing of them is left
                    await link.events()
    finally:
        os.close(held)


async def is_ready(address: str | None) -> bool:
    """Whether /readyz answers 200 there."""
    if address is None:
        return False
    transport = Transport(Endpoint(server=address, token=None, server_origin="here", token_origin="nowhere"), 0.0)  # noqa: S106
    try:
        async with transport.open(Call(method="GET", path="/readyz")):
            return True
    except (Broken, Problem, NotUnderstood):
        return False
    finally:
        await transport.close()


def died(child: Child) -> Failure:
    """The words for a child that ended by itself."""
    return Failure(f"The {child.name} ended by itself.", f"It said: {child.last_words()} ({child.log} has all)")


def plain_environment() -> dict[str, str]:
    """Ours, without the variables that would tell a child to be somebody else."""
    others = ("SERVER", "TOKEN", "PROFILE", "DATA", "LISTEN", "ONLY", "NAME", "SLOTS", "LABEL", "WORK_DIR", "JOBS_URL",
              "GATEWAY_URL", "REGISTRY_URL", "DATABASE", "BLOBS")  # fmt: skip
    return {key: value for key, value in os.environ.items() if key not in {f"ROTA_{name}" for name in others}}


def check_port(port: int) -> None:
    """Raise Failure where somebody listens there already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Failure(
                f"Port {port} cannot be used: {error.strerror}.",
                f"Another `rota dev` may run: `rota list` asks it. Else take another port: rota dev --port {port + 1}",
                Code.OUR_SIDE,
            ) from None
