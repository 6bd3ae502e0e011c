"""The agent's side of the socket to the shepherd. Source: architecture.md, "The worker is two processes"."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from rota.worker.say import say
from rota.worker.shepherd.door import peer
from rota.worker.shepherd.messages import (
    LENGTH_SIZE_BYTES,
    Command,
    Event,
    Extend,
    Forget,
    Hello,
    Kill,
    Leave,
    Ping,
    Stop,
    frame,
    length,
    read_events,
)

TRIES_MAX = 3
LONG = 6
MODULE = "rota.worker.shepherd"
SOCKET_NAME = "shepherd.sock"
SHEPHERD_ENVIRONMENT = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
"""All that the shepherd is given of the agent's environment, which may hold a token."""


class ShepherdGone(Exception):
    """The second process ended, and with it the watch over its jobs."""


class Link:
    """A connection to the shepherd: what is said in one turn of the event loop goes in one message.

    A shepherd that is stopped and does not say a word for `silent_s` is ended; one that hangs otherwise, a slow disk
    may be why, after six times as long. Without it nobody would watch over its jobs.
    """

    def __init__(self, work_dir: Path, silent_s: float) -> None:
        self._work_dir = work_dir
        self._silent_s = silent_s
        self._pid = 0
        self._unanswered = 0
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter
        self._unsent: list[Command] = []

    async def connect(self) -> Hello:
        """To the shepherd that runs, or to a new one, which ends first what a former one left. Raises ShepherdGone."""
        for _ in range(TRIES_MAX):
            try:
                end, pid = reach(self._work_dir) or start(self._work_dir)
            except OSError as error:
                raise ShepherdGone(f"the shepherd cannot be started: {error.strerror}") from error
            end.setblocking(False)  # noqa: FBT003  (its signature)
            self._reader, self._writer = await asyncio.open_unix_connection(sock=end)
            with contextlib.suppress(ShepherdGone):  # it was just leaving
                hello = await self._welcomed(pid)
                self._pid, self._unanswered = hello.pid, 0
                return hello
            self._writer.close()
        raise ShepherdGone("no shepherd answers; see shepherd.log in the work folder")

    def say(self, *commands: Command) -> None:
        """Tell it; never waits."""
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._send)
        self._unsent += commands

    def extend(self, attempts: Iterable[str], deadline: float) -> None:
        """The lease of these was renewed."""
        self.say(Extend(list(attempts), deadline))

    def stop(self, attempts: Iterable[str]) -> None:
        """SIGTERM, grace, SIGKILL; they end as `cancelled`."""
        self.say(Stop(list(attempts)))

    def kill(self, attempts: Iterable[str]) -> None:
        """Their lease is lost."""
        self.say(Kill(list(attempts)))

    def forget(self, attempts: Iterable[str]) -> None:
        """Their ends are on disk here."""
        self.say(Forget(list(attempts)))

    def ping(self) -> None:
        """Ask whether it is there, every `silent_s` / 2; one that did not answer the last times is ended."""
        if self._pid and self._unanswered >= 2:  # noqa: PLR2004  (one alone may be a pause of our own)
            self._end_silent(self._pid, is_long=self._unanswered >= 2 * LONG)
        if self._pid:  # one that an older version started knows no such question
            self._unanswered += 1
            self.say(Ping())

    def answered(self) -> None:
        """It is there."""
        self._unanswered = 0

    async def _welcomed(self, pid: int) -> Hello:
        """Its first word. Raises ShepherdGone."""
        hello = asyncio.ensure_future(self.events())
        for count in range(1, 1 + LONG):
            await asyncio.wait([hello], timeout=self._silent_s)
            if hello.done():
                break
            self._end_silent(pid, is_long=count == LONG)
        if not hello.done():
            hello.cancel()
            raise ShepherdGone("the shepherd does not answer")
        for event in await hello:
            if isinstance(event, Hello):
                return event
        raise ShepherdGone("the shepherd's first word was another")

    def _end_silent(self, pid: int, *, is_long: bool) -> None:
        """SIGKILL to the shepherd that does not answer, so that the next one ends what it watched."""
        with contextlib.suppress(OSError):  # gone meanwhile, or not ours to ask
            process = os.pidfd_open(pid)
            try:
                told = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1]
                is_ours = MODULE.encode() in told and os.fsencode(self._work_dir) in told
                if is_ours and (is_long or state in {b"T", b"t"}):
                    say("the shepherd does not answer: it is ended, and its jobs with it")
                    signal.pidfd_send_signal(process, signal.SIGKILL)
            finally:
                os.close(process)

    async def events(self) -> list[Event]:
        """The next that happened, in order. Raises ShepherdGone."""
        try:
            head = await self._reader.readexactly(LENGTH_SIZE_BYTES)
            return read_events(await self._reader.readexactly(length(head)))
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise ShepherdGone("the shepherd ended") from error

    async def leave(self) -> None:
        """An orderly end of both."""
        self.say(Leave())
        self._send()
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()
        self._writer.close()

    def _send(self) -> None:
        if self._unsent and not self._writer.is_closing():
            self._writer.write(frame(self._unsent))
        self._unsent = []


def reach(work_dir: Path) -> tuple[socket.socket, int] | None:
    """A connection to the shepherd that runs, and its process; None: there is none."""
    end = socket.socket(socket.AF_UNIX)
    try:
        with contextlib.chdir(work_dir):  # a socket's path may be 107 bytes long, a folder's more
            end.connect(SOCKET_NAME)
    except (FileNotFoundError, ConnectionRefusedError):
        end.close()
        return None
    return end, peer(end)


def start(work_dir: Path) -> tuple[socket.socket, int]:
    """A new shepherd, in a session of its own so that what ends the agent does not end it."""
    listener = socket.socket(socket.AF_UNIX)
    with contextlib.chdir(work_dir):
        Path(SOCKET_NAME).unlink(missing_ok=True)
        listener.bind(SOCKET_NAME)
    listener.listen()
    environment = {name: os.environ[name] for name in SHEPHERD_ENVIRONMENT if name in os.environ}
    with (work_dir / "shepherd.log").open("ab") as log, listener:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", MODULE, str(listener.fileno()), str(work_dir)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=work_dir, env=environment,
            pass_fds=[listener.fileno()], start_new_session=True,
        )  # fmt: skip
    reached = reach(work_dir)
    if reached is None:
        raise ShepherdGone("the shepherd could not be reached right after its start")
    return reached[0], process.pid  # until it listens itself, its end of the socket is still told to be ours
