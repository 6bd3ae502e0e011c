"""A policy out of an installed package, in a process of its own: whatever it does, the scheduler goes on."""

import asyncio
import importlib.metadata
import socket
import subprocess
import sys

import msgspec

from rota.protocol.policy import ENTRY_POINTS, PolicyAnswer
from rota.scheduler.policies import PolicyFailed
from rota.scheduler.policy_process import READY, Replied

START_S = 30.0
"""How long a policy's package may take to be imported."""
ANSWER_SIZE_BYTES_MAX = 256 * 1024

_STDERR = 2

_replied = msgspec.json.Decoder(Replied)


def installed_names() -> list[str]:
    """The policies that installed packages bring; none of them is imported for it."""
    return sorted({found.name for found in importlib.metadata.entry_points(group=ENTRY_POINTS)})


class Installed:
    """See `rota.scheduler.policies.Policy`. Its process is made for the first question, and anew where it was ended."""

    at_once = 1

    def __init__(self, name: str, timeout_s: float) -> None:
        self._name, self._timeout_s = name, timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def ask(self, body: bytes, key: str) -> PolicyAnswer | None:
        del key  # nothing is lost on the way to a process, and nothing comes twice
        if self._process is None:
            await self._start()
        try:
            async with asyncio.timeout(self._timeout_s):
                self._writer.write(body + b"\n")
                await self._writer.drain()
                line = await self._reader.readline()
        except TimeoutError:
            self._end()
            raise PolicyFailed(f"did not answer within {self._timeout_s:g} s", is_costly=True) from None
        except (ConnectionError, ValueError):  # it is gone, or its line has no end
            line = b""
        except asyncio.CancelledError:
            self._end()
            raise
        if not line.endswith(b"\n"):
            raise PolicyFailed(f"ended its process ({self._ended()})", is_costly=True)
        try:
            reply = _replied.decode(line)
        except msgspec.DecodeError:
            self._end()
            raise PolicyFailed("broke into the talk with its process", is_costly=True) from None
        if reply.failed is not None:
            raise PolicyFailed(reply.failed)
        return reply.answer

    async def close(self) -> None:
        self._end()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._ended()

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-P", "-m", "rota.scheduler.policy_process", self._name, str(theirs.fileno())]
            # What it prints goes where the scheduler's own words go; the talk has a socket of its own.
            self._process = subprocess.Popen(  # noqa: ASYNC220  (some milliseconds, and no fork of this process)
                command, stdin=subprocess.DEVNULL, stdout=_STDERR, pass_fds=[theirs.fileno()],
                start_new_session=True,
            )  # fmt: skip
        self._reader, self._writer = await asyncio.open_connection(sock=ours, limit=ANSWER_SIZE_BYTES_MAX)
        try:
            async with asyncio.timeout(START_S):
                line = await self._reader.readline()
        except TimeoutError:
            self._end()
            raise PolicyFailed(f"was not imported within {START_S:g} s", is_costly=True) from None
        except (ConnectionError, ValueError):
            line = b""
        if line != READY:
            raise PolicyFailed(f"ended its process while it was imported ({self._ended()})", is_costly=True)

    def _ended(self) -> str:
        """How its process ended; the next question starts another."""
        process, self._process = self._process, None
        self._writer.close()
        if process is None:
            return "gone"
        try:
            code = process.wait(0.1)
        except subprocess.TimeoutExpired:  # it only closed its end of the talk
            process.kill()
            code = process.wait()
        return f"exit {code}" if code >= 0 else f"signal {-code}"
