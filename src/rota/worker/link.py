"""The agent's side of the socket to the shepherd. Source: architecture.md, "The worker is two processes"."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from rota.worker.shepherd.messages import (
    LENGTH_SIZE_BYTES,
    Command,
    Event,
    Extend,
    Forget,
    Hello,
    Kill,
    Leave,
    Stop,
    frame,
    length,
    read_events,
)

TRIES_MAX = 3
SOCKET_NAME = "shepherd.sock"
SHEPHERD_ENVIRONMENT = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
"""All that the shepherd is given of the agent's environment, which may hold a token."""


class ShepherdGone(Exception):
    """The second process ended, and with it the watch over its jobs."""


class Link:
    """A connection to the shepherd: what is said in one turn of the event loop goes in one message."""

    def __init__(self, work_dir: Path) -> None:
        self._work_dir = work_dir
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter
        self._unsent: list[Command] = []

    async def connect(self) -> Hello:
        """To the shepherd that runs, or to a new one, which ends first what a former one left. Raises ShepherdGone."""
        for _ in range(TRIES_MAX):
            try:
                end = reach(self._work_dir) or start(self._work_dir)
            except OSError as error:
                raise ShepherdGone(f"the shepherd cannot be started: {error.strerror}") from error
            end.setblocking(False)  # noqa: FBT003  (its signature)
            self._reader, self._writer = await asyncio.open_unix_connection(sock=end)
            with contextlib.suppress(ShepherdGone):  # it was just leaving
                [hello] = await self.events()
                if isinstance(hello, Hello):
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


def reach(work_dir: Path) -> socket.socket | None:
    """A connection to the shepherd that runs; None: there is none."""
    end = socket.socket(socket.AF_UNIX)
    try:
        with contextlib.chdir(work_dir):  # a socket's path may be 107 bytes long, a folder's more
            end.connect(SOCKET_NAME)
    except (FileNotFoundError, ConnectionRefusedError):
        end.close()
        return None
    return end


def start(work_dir: Path) -> socket.socket:
    """A new shepherd, in a session of its own so that what ends the agent does not end it."""
    listener = socket.socket(socket.AF_UNIX)
    with contextlib.chdir(work_dir):
        Path(SOCKET_NAME).unlink(missing_ok=True)
        listener.bind(SOCKET_NAME)
    listener.listen()
    environment = {name: os.environ[name] for name in SHEPHERD_ENVIRONMENT if name in os.environ}
    with (work_dir / "shepherd.log").open("ab") as log, listener:
        subprocess.Popen(
            [sys.executable, "-P", "-m", "rota.worker.shepherd", str(listener.fileno()), str(work_dir)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=work_dir, env=environment,
            pass_fds=[listener.fileno()], start_new_session=True,
        )  # fmt: skip
    end = reach(work_dir)
    if end is None:
        raise ShepherdGone("the shepherd could not be reached right after its start")
    return end
