"""Reports that nobody has acknowledged yet, on disk: a batch a file. Source: guarantees.md, "Worker spool", F44.

What is here survives the agent; a later one sends it again, and the gateway answers as it did before.
"""

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from rota.protocol.ids import AttemptId
from rota.protocol.job_finished import Finished, JobFinished
from rota.worker.say import say
from rota.worker.shepherd import reserve

_SUFFIX = ".json"


class Spool:
    """The folder of batches. `sync` makes an open file or folder durable."""

    def __init__(self, work_dir: Path, sync: Callable[[int], None] = os.fsync) -> None:
        self._sync_file = sync
        self._folder = work_dir / "spool"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._open: dict[str, set[AttemptId]] = {}
        self._file_of: dict[AttemptId, str] = {}
        self._size_bytes: dict[AttemptId, int] = {}
        self._count = 0
        self._is_full = False
        self.is_sure = True
        """Whether what was loaded outlives a power cut."""
        self._turn = threading.Lock()  # one thread writes, another removes

    @property
    def unreported_bytes(self) -> int:
        """How much of the disk the logs and artifacts of what is here take."""
        return sum(list(self._size_bytes.values()))

    def has(self, attempt: AttemptId) -> bool:
        """Whether its report is on disk."""
        return attempt in self._file_of

    def load(self) -> list[Finished]:
        """What earlier agents left. A file that is no such batch is put aside and told."""
        found: list[Finished] = []
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            try:
                batch = msgspec.json.decode(path.read_bytes(), type=JobFinished).attempts
            except (OSError, msgspec.DecodeError) as error:
                say(f"{path} is no report ({error}); it is left alone as {path.name}.bad")
                with contextlib.suppress(OSError):
                    path.rename(path.with_suffix(".bad"))
                continue
            self._keep(path.name, batch)
            found += batch
            self._count = max(self._count, int(path.stem) if path.stem.isdigit() else 0)
        try:
            self._sync()  # the agent before may have been killed before it could do so
        except OSError:
            self.is_sure = False
        return found

    def write(self, batch: list[Finished]) -> bool:
        """True: it is durable. False: it is not, which is told, and delays no report. Blocks."""
        self._count += 1
        name = f"{self._count:012}{_SUFFIX}"
        try:
            try:
                self._write(name, batch)
            except OSError:
                if not reserve.give_up(self._folder.parent):
                    raise
                self._write(name, batch)
        except OSError as error:
            if not self._is_full:
                say(f"reports cannot be kept on disk ({error.strerror}); they are sent from memory")
            self._is_full = True
            with contextlib.suppress(OSError):
                (self._folder / f"{name}.new").unlink(missing_ok=True)
            return False
        self._is_full = False
        with self._turn:
            self._keep(name, batch)
        return True

    def _write(self, name: str, batch: list[Finished]) -> None:
        fresh = self._folder / f"{name}.new"
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(JobFinished(batch)))
            file.flush()
            self._sync_file(file.fileno())
        fresh.rename(self._folder / name)
        self._sync()

    def remove(self, attempts: list[AttemptId]) -> None:
        """Acknowledged, or wanted by nobody. A batch's file goes with its last one. Blocks."""
        with self._turn:
            self._remove(attempts)

    def _remove(self, attempts: list[AttemptId]) -> None:
        for attempt in attempts:
            self._size_bytes.pop(attempt, None)
            name = self._file_of.pop(attempt, None)
            if name is None:
                continue
            self._open[name].discard(attempt)
            if not self._open[name]:
                del self._open[name]
                with contextlib.suppress(OSError):  # sent again after a restart, it is answered as before
                    (self._folder / name).unlink()

    def _keep(self, name: str, batch: list[Finished]) -> None:
        self._remove([finished.attempt_id for finished in batch])  # a later report of the same takes its place
        self._open[name] = {finished.attempt_id for finished in batch}
        self._file_of.update((finished.attempt_id, name) for finished in batch)
        self._size_bytes.update((finished.attempt_id, _size_bytes(finished)) for finished in batch)

    def _sync(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._sync_file(folder)
        finally:
            os.close(folder)


def _size_bytes(finished: Finished) -> int:
    return finished.log.size_bytes + sum(artifact.size_bytes for artifact in finished.artifacts)
