"""What those who look after a server ask of its stores: is all in order, and a copy of it."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from rota.protocol.ids import AttemptId, JobId
from rota.protocol.states import AttemptState
from rota.storage.stores.jobs import Outcome


class RecordedBlob(msgspec.Struct, frozen=True):
    """A log (`path` '') or artifact that a row says is in the blob store."""

    attempt_id: AttemptId
    path: str
    size_bytes: int
    sha256: str

    def __str__(self) -> str:
        return f"{self.attempt_id} {self.path or 'log'}"


class UpkeepStore(Protocol):
    """The Job service's rows, looked at as a whole."""

    async def blobs(self, after: RecordedBlob | None, limit: int) -> list[RecordedBlob]:
        """What is in the blob store, by attempt and path, behind `after`."""
        ...

    async def states(self, attempts: Sequence[AttemptId]) -> dict[AttemptId, tuple[AttemptState, frozenset[str]]]:
        """Of those that there are: the state, and the paths that rows have in the blob store."""
        ...

    async def without_holder(self, limit: int) -> list[JobId]:
        """Jobs that are assigned or running though no attempt of theirs is held: nothing would ever move them."""
        ...

    async def put_back(self, jobs: Sequence[JobId]) -> list[Outcome]:
        """Those of them for which that still holds wait for the scheduler's word."""
        ...

    async def undecided(self, limit: int) -> list[JobId]:
        """What waits for the scheduler's word, oldest first."""
        ...

    async def newest_at(self) -> str | None:
        """The latest time that a job was submitted or given to a worker at; None: never."""
        ...


Tell = Callable[[int, int], None]
"""Called with what is done and what there is to do, in bytes. What it raises ends the work."""


class DatabaseFiles(Protocol):
    """The databases of this process, as files. Every method blocks."""

    @property
    def names(self) -> list[str]:
        """The Job service's first."""
        ...

    def complaints(self, name: str) -> list[str]:
        """What the database's own check says against it; empty: it is sound."""
        ...

    def copy(self, name: str, to: Path, tell: Tell) -> int:
        """One moment of it as a file, durable, while it is written to; returns its schema's number.

        Raises Damaged where the copy is not sound, Unavailable where the disk does not take it.
        """
        ...

    def blobs_in(self, file: Path) -> Iterator[list[RecordedBlob]]:
        """What a copy's rows say is in the blob store, in batches."""
        ...
