"""Sending a file's bytes to the gateway, resumable: what is stored is asked for, never sent again.

Source: protocol.md, "Gateway: log and artifacts, resumable"; guarantees.md, F29, F37.
"""

import asyncio
import hashlib
import os
from typing import NamedTuple

from rota.protocol.ids import AttemptId
from rota.protocol.problems import OffsetMismatch, TooLarge
from rota.worker.backoff import TRANSIENT, Backoff
from rota.worker.gateway import Gateway
from rota.world import World

PIECE_SIZE_BYTES = 1024 * 1024


class Shrunk(Exception):
    """The gateway stores more of the file than there is left of it: the job has cut it behind our back.

    What was sent by an agent before this one can no longer be digested, so that no report of it would be taken.
    """


class Sent(NamedTuple):
    """What the gateway has: the digest is of the very bytes that were sent."""

    size_bytes: int
    sha256: str
    is_cut: bool


class Upload:
    """One log (`path` None) or artifact of an attempt, read from the open `file`."""

    def __init__(self, gateway: Gateway, world: World, attempt: AttemptId, path: str | None) -> None:
        self.offset = 0
        self.is_cut = False
        self._gateway = gateway
        self._world = world
        self._attempt = attempt
        self._path = path
        self._digest = hashlib.sha256()

    def began(self, content: bytes) -> bool:
        """Whether `content` begins with all that was sent."""
        return self.offset <= len(content) and hashlib.sha256(content[: self.offset]).digest() == self._digest.digest()

    async def send_up_to(self, file: int, size_bytes: int) -> None:
        """Send what is missing, once. Raises Shrunk, and Problem: Unavailable and the like may be tried again."""
        while self.offset < size_bytes and not self.is_cut:
            piece = await asyncio.to_thread(
                os.pread, file, min(PIECE_SIZE_BYTES, size_bytes - self.offset), self.offset
            )
            if not piece:
                return  # shorter than it was
            try:
                stored = await self._gateway.upload(self._attempt, self._path, self.offset, piece)
            except OffsetMismatch as problem:
                await self._skip_to(file, problem.offset)
                continue
            except TooLarge:  # the server has taken what its limit allows, and that is what there is
                self.is_cut = True
                await self._skip_to(file, await self._gateway.upload_offset(self._attempt, self._path))
                return
            self._digest.update(piece[: stored - self.offset])
            self.offset = stored

    async def finish(self, file: int, size_bytes: int, *, is_interrupted: bool) -> Sent:
        """Send all, however long it takes. Raises Shrunk, and Problem where the answer is final (lost, not found).

        `is_interrupted`: an earlier agent may have sent some of it.
        """
        backoff = Backoff(self._world)
        while True:
            try:
                if is_interrupted:
                    await self._skip_to(file, await self._gateway.upload_offset(self._attempt, self._path))
                await self.send_up_to(file, size_bytes)
                return Sent(self.offset, self._digest.hexdigest(), self.is_cut)
            except TRANSIENT as problem:
                is_interrupted = True
                await backoff.pause(problem)

    async def _skip_to(self, file: int, offset: int) -> None:
        """The gateway has more than we knew (or less: then from the start): digest it from the file."""
        if offset < self.offset:
            self.offset, self._digest = 0, hashlib.sha256()
        while self.offset < offset:
            piece = await asyncio.to_thread(os.pread, file, min(PIECE_SIZE_BYTES, offset - self.offset), self.offset)
            if not piece:
                raise Shrunk
            self._digest.update(piece)
            self.offset += len(piece)
