"""The logs of jobs that run, sent as they grow; and the whole of a log when its job has ended.

Source: protocol.md, "Gateway: log and artifacts, resumable".
"""

import asyncio
import contextlib
import hashlib
import os
from pathlib import Path

from rota.protocol.ids import AttemptId
from rota.protocol.job_finished import LogReport
from rota.protocol.problems import Problem
from rota.protocol.wire import INLINE_SIZE_BYTES_MAX, Base64, to_base64
from rota.worker.backoff import TRANSIENT, Backoff
from rota.worker.gateway import Gateway
from rota.worker.say import Survived
from rota.worker.upload import Shrunk, Upload
from rota.world import World

EMPTY = LogReport(0, hashlib.sha256(b"").hexdigest(), Base64(""))


class LiveLogs:
    """One upload a log that grew, in parallel up to a bound, never two of one log."""

    def __init__(self, gateway: Gateway, world: World, flush_s: float, uploads: asyncio.Semaphore) -> None:
        self._gateway = gateway
        self._world = world
        self._flush_s = flush_s
        self._uploads = uploads
        self._sizes: dict[AttemptId, int] = {}
        self._folders: dict[AttemptId, Path] = {}
        self._open: dict[AttemptId, Upload] = {}
        self._busy: dict[AttemptId, asyncio.Task[bool]] = {}
        self._is_grown = asyncio.Event()

    def grown(self, attempt: AttemptId, folder: Path, size_bytes: int) -> None:
        """There is more of this log in `folder`."""
        self._sizes[attempt] = size_bytes
        self._folders[attempt] = folder
        self._is_grown.set()

    async def send(self) -> None:
        """For ever: what grew, every `flush_s`; more rarely while the gateway does not take it.

        The pause comes first: a job that is over by then sends its log with its end, and costs no message more.
        """
        backoff = Backoff(self._world, first_s=1)
        while True:
            await self._is_grown.wait()
            await self._world.sleep(self._flush_s)
            self._is_grown.clear()
            for attempt in [attempt for attempt in self._sizes if attempt not in self._busy]:
                size_bytes = self._sizes.pop(attempt)
                self._busy[attempt] = asyncio.create_task(self._send_safely(attempt, size_bytes))
            done = {attempt: task for attempt, task in self._busy.items() if task.done()}
            for attempt in done:
                del self._busy[attempt]
            if done and not any(task.result() for task in done.values()):
                await backoff.pause()
            elif done:
                backoff.succeeded()
            if self._sizes or self._busy:
                self._is_grown.set()

    def has_begun(self, attempt: AttemptId) -> bool:
        """Whether any of it may have been sent."""
        return attempt in self._open

    async def taken(self, attempt: AttemptId) -> Upload:
        """The upload of a job that has ended, at rest: its end is somebody else's now."""
        self._sizes.pop(attempt, None)
        self._folders.pop(attempt, None)
        task = self._busy.pop(attempt, None)
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        return self._open.pop(attempt, None) or Upload(self._gateway, self._world, attempt, None)

    def forget(self, attempt: AttemptId) -> None:
        """Nobody wants it."""
        self._sizes.pop(attempt, None)
        self._folders.pop(attempt, None)
        self._open.pop(attempt, None)

    async def _send_safely(self, attempt: AttemptId, size_bytes: int) -> bool:
        with Survived(f"the log of attempt {attempt} is sent with its end"):
            return await self._send_one(attempt, size_bytes)
        return True

    async def _send_one(self, attempt: AttemptId, size_bytes: int) -> bool:
        """False where the gateway could not take it now."""
        folder = self._folders.get(attempt)
        if folder is None:
            return True
        upload = self._open.setdefault(attempt, Upload(self._gateway, self._world, attempt, None))
        try:
            file = os.open(folder / "log", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return True  # the end will tell
        try:
            async with self._uploads:
                await upload.send_up_to(file, size_bytes)
        except TRANSIENT:
            self._sizes.setdefault(attempt, size_bytes)
            return False
        except (Problem, Shrunk):
            return True  # lost: the heartbeat says so too; or cut by the job: its end will tell
        finally:
            os.close(file)
        return True


def report(folder: Path, size_bytes: int) -> LogReport:
    """A whole log, inline where it is small. Raises OSError. Blocks; memory does not grow with it."""
    if size_bytes == 0:
        return EMPTY
    with open(os.open(folder / "log", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123  (fd)
        if size_bytes <= INLINE_SIZE_BYTES_MAX:
            content = file.read(INLINE_SIZE_BYTES_MAX)
            return LogReport(len(content), hashlib.sha256(content).hexdigest(), Base64(to_base64(content)))
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return LogReport(file.tell(), digest)
