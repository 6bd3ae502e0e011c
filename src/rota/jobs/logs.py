"""Stored bytes as a source to read from, and what a follower of a live log is told."""

from collections.abc import AsyncIterator

import msgspec

from rota.protocol.ids import AttemptId
from rota.protocol.job_finished import Result
from rota.protocol.problems import Damaged
from rota.protocol.states import JobState, Verdict
from rota.storage.stores.blobs import BlobStore

_HELD_SIZE_BYTES_MAX = 1024 * 1024


class LogSource:
    """A log's or artifact's bytes: in memory where they are small, else in the blob store.

    With the `sha256` that was recorded: what is read as a whole is checked against it (see `BlobStore.read`).
    """

    def __init__(
        self, size_bytes: int, blobs: BlobStore, attempt: AttemptId, path: str, content: bytes | None,
        sha256: str | None = None,
    ) -> None:  # fmt: skip
        self.size_bytes = size_bytes
        self._blobs, self._attempt, self._path, self._content = blobs, attempt, path, content
        self._sha256 = sha256

    def __repr__(self) -> str:
        return f"LogSource({self.size_bytes} bytes)"

    async def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` up to `end` (excluded), in pieces. Raises Damaged."""
        if self._content is not None:
            if self._content[start:end]:
                yield self._content[start:end]
            return
        if start < end:
            sha256 = self._sha256 if (start, end) == (0, self.size_bytes) else None
            async for piece in self._blobs.read(self._attempt, self._path, start, end, sha256):
                yield piece

    async def check(self) -> None:
        """Raise Damaged where the store has not as many bytes as were recorded."""
        if self._sha256 is None or self._content is not None:
            return
        size = await self._blobs.size(self._attempt, self._path)
        if size != self.size_bytes:
            raise Damaged(
                f"These bytes are damaged in the server's store: {size} of {self.size_bytes} are there. "
                "`rota doctor` tells what else is."
            )

    async def hold(self) -> None:
        """Read what is small into memory, so that damage is told instead of the bytes. Raises Damaged."""
        if self._sha256 is not None and self._content is None and self.size_bytes <= _HELD_SIZE_BYTES_MAX:
            self._content = b"".join([piece async for piece in self.read(0, self.size_bytes)])


class LogPiece(msgspec.Struct, frozen=True):
    """Bytes of the log; `offset` is the one behind them, from where a dropped stream goes on."""

    offset: int
    piece: bytes


class Switched(msgspec.Struct, frozen=True):
    """What follows is this attempt's log, from `offset` on; said first, and when a new attempt begins."""

    number: int
    offset: int


class Waits(msgspec.Struct, frozen=True):
    """No worker has the job now, and it is not over: `message` says for what it waits."""

    state: JobState
    message: str


class Ping(msgspec.Struct, frozen=True):
    """Nothing new, still here."""


class LogEnd(msgspec.Struct, frozen=True):
    """No more will come."""

    state: JobState
    verdict: Verdict | None
    result: Result | None


Followed = LogPiece | Switched | Waits | Ping | LogEnd
