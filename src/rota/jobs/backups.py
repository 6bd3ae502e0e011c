"""Backups of a server while it works: one moment of its databases, and the bytes that their rows refer to.

Written under another name, made durable, renamed: what is called a backup is whole. Source: guarantees.md, F53.
"""

import asyncio
import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from rota import __version__
from rota.jobs import manifest as manifests
from rota.jobs.manifest import FORMAT, MANIFEST, BackupFile, Manifest, describe, file_of, settle
from rota.protocol.backup import Backup, BackupState
from rota.protocol.problems import Conflict, NotFound, Problem, Unavailable
from rota.protocol.wire import timestamp
from rota.storage.stores.blobs import BlobStore
from rota.storage.stores.upkeep import DatabaseFiles, RecordedBlob, Tell
from rota.world import World

PARTIAL = ".rota-partial"
STAMP = "%Y-%m-%dT%H%M%SZ"
_REMEMBERED_MAX = 100

log = logging.getLogger(__name__)


class Run:
    """A backup that is being made: how far it is, and whether to give up."""

    def __init__(self, name: str, folder: Path, also_tell: Tell | None = None) -> None:
        self.name, self.folder, self._also_tell = name, folder, also_tell
        self.done_bytes = self.size_bytes = 0
        self.over = asyncio.Event()
        self.problem: Problem | None = None
        self.is_stopped = False

    def tell(self, done_bytes: int, size_bytes: int) -> None:
        """So far. Raises Unavailable where the server is about to stop."""
        self.done_bytes, self.size_bytes = done_bytes, size_bytes
        if self._also_tell is not None:
            self._also_tell(done_bytes, size_bytes)
        if self.is_stopped:
            raise Unavailable("The server is stopping; the backup was given up.")

    def as_backup(self) -> Backup:
        """For people."""
        state = BackupState.RUNNING if not self.over.is_set() else BackupState.FAILED
        message = None if self.problem is None else self.problem.detail
        folder = str(self.folder / self.name)
        return Backup(self.name, state, folder, self.done_bytes, self.size_bytes, message=message)


class Backups:
    """Those in `folder`; one is made at a time. `tokens` are files that are kept with the databases."""

    def __init__(
        self, folder: Path, files: DatabaseFiles, tokens: Sequence[Path], blobs: BlobStore, world: World
    ) -> None:
        self._folder, self._files, self._tokens, self._blobs, self._world = folder, files, tokens, blobs, world
        self._runs: dict[str, Run] = {}
        self._task: asyncio.Task[None] | None = None

    def close(self) -> None:
        """About to stop: what is being made is given up."""
        for run in self._runs.values():
            run.is_stopped = True

    async def start(self, name: str | None) -> Backup:
        """Begin one. Raises Conflict where another is being made, or there is one of that name."""
        if self._task is not None and not self._task.done():
            raise Conflict("Another backup is being made just now. Wait for its end.")
        name = name or self._world.now().strftime(STAMP)
        if (self._folder / name).exists():
            raise Conflict(f"There is a backup `{name}` already. Give this one another name.")
        run = Run(name, self._folder)
        self._runs = dict([*self._runs.items()][-_REMEMBERED_MAX:]) | {name: run}
        self._task = asyncio.create_task(self._make(run))
        return run.as_backup()

    async def backup(self, name: str, wait_s: float) -> Backup:
        """One; where it is being made, at its end or when `wait_s` are over. Raises NotFound."""
        run = self._runs.get(name)
        if run is not None and not run.over.is_set() and wait_s > 0:
            try:
                await asyncio.wait_for(run.over.wait(), wait_s)
            except TimeoutError:
                return run.as_backup()
        for found in await self.all():
            if found.name == name:
                return found
        raise NotFound("There is no such backup.")

    async def all(self) -> list[Backup]:
        """By name."""
        runs = {name: run.as_backup() for name, run in self._runs.items()}
        stored = {backup.name: backup for backup in await asyncio.to_thread(_stored, self._folder)}
        whole = {name: backup for name, backup in stored.items() if backup.state is BackupState.WHOLE}
        return [found for _, found in sorted((stored | runs | whole).items())]

    async def _make(self, run: Run) -> None:
        made_at = timestamp(self._world.now())
        try:
            await asyncio.to_thread(make, run, self._files, self._tokens, self._blobs, made_at)
        except Problem as problem:
            run.problem = problem
        except OSError as error:
            run.problem = Unavailable(f"The disk does not take the backup: {error.strerror}.")
        finally:
            run.over.set()
            if run.problem is not None:
                log.warning("the backup %s was not made: %s", run.name, run.problem.detail)


def make(run: Run, files: DatabaseFiles, tokens: Sequence[Path], blobs: BlobStore, made_at: str) -> Manifest:
    """Write it and give it its name. Blocks. Nothing is left of one that fails. Raises Problem, OSError."""
    run.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    delete_partial(run.folder, partial_backups(run.folder))
    folder = run.folder / f"{run.name}{PARTIAL}"
    folder.mkdir(mode=0o700)
    (folder / "blobs").mkdir(mode=0o700)
    try:
        manifest = _fill(folder, run, files, tokens, blobs, made_at)
        manifests.write(folder, manifest)
        folder.rename(run.folder / run.name)
        settle(run.folder)
    except (Problem, OSError):
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return manifest


def _fill(
    folder: Path, run: Run, files: DatabaseFiles, tokens: Sequence[Path], blobs: BlobStore, made_at: str
) -> Manifest:
    kept: list[BackupFile] = []
    for name in files.names:  # the Job service's first: what the registry had acknowledged by then is in the later one
        before_bytes = sum(one.size_bytes for one in kept)
        schema = files.copy(name, folder / name, lambda done, size, at=before_bytes: run.tell(at + done, at + size))  # type: ignore[misc]
        kept.append(describe(folder / name, schema))
    for token in tokens:
        if token.exists():
            _copy(token, folder / token.name)
            kept.append(describe(folder / token.name))
    copied = folder / files.names[0]
    done_bytes = sum(one.size_bytes for one in kept)
    whole_bytes = done_bytes + sum(blob.size_bytes for batch in files.blobs_in(copied) for blob in batch)
    count = 0
    damaged: list[tuple[str, str]] = []
    for batch in files.blobs_in(copied):
        for blob in batch:
            if _keep(blob, blobs.place(blob.attempt_id, blob.path), file_of(folder, blob)):
                count += 1
            else:
                damaged.append((blob.attempt_id, blob.path))
            done_bytes += blob.size_bytes
            run.tell(done_bytes, whole_bytes)
    return Manifest(FORMAT, __version__, made_at, kept, count, whole_bytes, damaged)


def _keep(blob: RecordedBlob, source: Path | None, to: Path) -> bool:
    """Whether it is in the backup now: a second name of the same file where the disk allows it, else a copy.

    A sealed blob is never written to again, so that both names keep its bytes.
    """
    if source is None or source.stat().st_size != blob.size_bytes:
        return False
    to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        os.link(source, to)
    except OSError:  # another disk, or a file system without links
        _copy(source, to)
    return to.stat().st_size == blob.size_bytes


def _copy(source: Path, to: Path) -> None:
    with source.open("rb") as opened, manifests.new_file(to) as written:
        shutil.copyfileobj(opened, written, 1024 * 1024)
        written.flush()
        os.fsync(written.fileno())


def partial_backups(folder: Path) -> list[str]:
    """What was cut off: by its name it is never taken for a backup."""
    return sorted(found.name for found in folder.glob(f"*{PARTIAL}") if found.is_dir())


def delete_partial(folder: Path, names: Sequence[str]) -> int:
    """How many are gone."""
    for name in names:
        shutil.rmtree(folder / name, ignore_errors=True)
    return len([name for name in names if not (folder / name).exists()])


def _stored(folder: Path) -> list[Backup]:
    partial = [
        Backup(name.removesuffix(PARTIAL), BackupState.PARTIAL, str(folder / name)) for name in partial_backups(folder)
    ]
    whole = [file.parent for file in folder.glob(f"*/{MANIFEST}") if not file.parent.name.endswith(PARTIAL)]
    return partial + [_read(one) for one in whole]


def _read(folder: Path) -> Backup:
    try:
        return as_backup(folder, manifests.read(folder))
    except Problem as problem:
        return Backup(folder.name, BackupState.FAILED, str(folder), message=problem.detail)


def as_backup(folder: Path, manifest: Manifest) -> Backup:
    """A whole one, for people."""
    size = manifest.size_bytes
    whole = Backup(folder.name, BackupState.WHOLE, str(folder), size, size, manifest.made_at, manifest.blobs)
    return msgspec.structs.replace(whole, damaged=len(manifest.damaged))
