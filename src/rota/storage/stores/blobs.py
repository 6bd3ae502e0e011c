"""Bytes that are too large for a row: logs and artifacts, as they grow and when they are whole."""

from collections.abc import AsyncIterator
from typing import Protocol

from rota.protocol.ids import AttemptId


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

    def read(self, attempt: AttemptId, path: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` up to `end` (excluded), in pieces. Raises NotFound where it is gone."""
        ...

    async def delete(self, attempt: AttemptId) -> None:
        """All of an attempt's."""
        ...
