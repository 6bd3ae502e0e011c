"""Bytes that are too large for a row: logs and artifacts, as they grow and when they are whole."""

import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Protocol

import msgspec

from rota.protocol.ids import AttemptId


class StoredBlob(msgspec.Struct, frozen=True):
    """A blob as the store has it; `name` is `blob_name` of its path, which the store does not keep itself."""

    attempt_id: AttemptId
    name: str
    size_bytes: int
    written_at_s: float
    """Seconds of the wall clock."""


def blob_name(path: str) -> str:
    """What a path is called in the store: a path of the job's own making never becomes a file name there."""
    return hashlib.sha256(path.encode()).hexdigest() if path else "log"


class BlobStore(Protocol):
    """One blob an attempt and path; path '' is the log. Stored bytes are never changed, only added to."""

    async def size(self, attempt: AttemptId, path: str) -> int:
        """Bytes stored; 0 where there are none."""
        ...

    async def append(self, attempt: AttemptId, path: str, offset: int, piece: bytes) -> int:
        """Add at the end; returns the new size. Raises OffsetMismatch where `offset` is not the size."""
        ...

    async def seal(self, attempt: AttemptId, path: str) -> tuple[int, str]:
        """Make its bytes durable; returns its size and SHA-256. Its name is durable after `settle`."""
        ...

    async def settle(self, attempt: AttemptId) -> None:
        """Make the names of all of an attempt's blobs durable."""
        ...

    def read(
        self, attempt: AttemptId, path: str, start: int, end: int, sha256: str | None = None
    ) -> AsyncIterator[bytes]:
        """The bytes from `start` up to `end` (excluded), in pieces.

        Raises Damaged where there are fewer, and, before the last piece is given, where they have not this digest.
        """
        ...

    async def delete(self, attempt: AttemptId) -> None:
        """All of an attempt's."""
        ...

    async def digest(self, attempt: AttemptId, path: str) -> tuple[int, str] | None:
        """Size and SHA-256 of what is stored now, read from the disk; None where there is nothing. Raises Damaged."""
        ...

    def stored(self) -> Iterator[list[StoredBlob]]:
        """All that is there, one attempt after the other. Blocks."""
        ...

    def discard(self, attempt: AttemptId, name: str) -> None:
        """One blob that nothing refers to. Blocks."""
        ...

    def place(self, attempt: AttemptId, path: str) -> Path | None:
        """The file that holds it, where the store has files: to link or copy, never to write. None: there is none."""
        ...
