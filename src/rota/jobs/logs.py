"""Stored bytes as a source to read from, and what a follower of a live log is told."""

from collections.abc import AsyncIterator

import msgspec

from rota.protocol.ids import AttemptId
from rota.protocol.job_finished import Result
from rota.protocol.states import JobState, Verdict
from rota.storage.stores.blobs import BlobStore


class LogSource:
    """A log's or artifact's bytes: in memory where they are small, else in the blob store."""

    def __init__(self, size_bytes: int, blobs: BlobStore, attempt: AttemptId, path: str, content: bytes | None) -> None:
        self.size_bytes = size_bytes
        self._blobs, self._attempt, self._path, self._content = blobs, attempt, path, content

    async def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` up to `end` (excluded), in pieces."""
        if self._content is not None:
            if self._content[start:end]:
                yield self._content[start:end]
            return
        if start < end:
            async for piece in self._blobs.read(self._attempt, self._path, start, end):
                yield piece


class LogPiece(msgspec.Struct, frozen=True):
    """Bytes of the log; `offset` is the one behind them, from where a dropped stream goes on."""

    offset: int
    piece: bytes


class Switched(msgspec.Struct, frozen=True):
    """What follows is this attempt's log, from `offset` on; said first, and when a new attempt begins."""

    number: int
    offset: int


class Ping(msgspec.Struct, frozen=True):
    """Nothing new, still here."""


class LogEnd(msgspec.Struct, frozen=True):
    """No more will come."""

    state: JobState
    verdict: Verdict | None
    result: Result | None


Followed = LogPiece | Switched | Ping | LogEnd
