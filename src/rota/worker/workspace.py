"""A job's private folder: made before its start, filled with its inputs, removed after its end was received.

`jobs/<attempt>/work` is the job's own; beside it lie its log, its result and its script, all in a folder of mode 0700.
"""

import contextlib
import hashlib
import os
import re
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from rota.protocol.ids import AttemptId
from rota.protocol.paths import check_path
from rota.protocol.problems import InvalidRequest
from rota.protocol.spec import Input
from rota.worker.removal import remove_all
from rota.worker.say import say
from rota.worker.shepherd.messages import OF_THE_MACHINE

Fetch = Callable[[str], AbstractAsyncContextManager[AsyncIterator[bytes]]]

SPARE_MAX = 256
"""Empty folders that are kept for the next jobs."""
_SIDE_FILES = ("log", "result", "script", "ended")
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


class NotPrepared(Exception):
    """The job cannot be started with what it was given, or on this machine now; the text says why."""

    def __init__(self, message: str, error: OSError | None = None) -> None:
        super().__init__(message)
        self.is_of_machine = error is not None and error.errno in OF_THE_MACHINE


class Workspaces:
    """The folders of all attempts."""

    def __init__(self, work_dir: Path) -> None:
        self.folder = work_dir / "jobs"
        self.quarantine = work_dir / "quarantine"
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self._spare: list[str] = []
        self._count = 0

    def of(self, attempt: AttemptId) -> Path:
        """Where an attempt's things are."""
        return self.folder / attempt

    def make(self, attempt: AttemptId) -> Path:
        """A fresh one: one that was left spotless, under its new name, or a new one. Raises NotPrepared."""
        if not _SAFE_NAME.fullmatch(attempt):
            raise NotPrepared("its attempt id cannot be a folder's name")
        folder = self.folder / attempt
        try:
            if self._spare:
                os.rename(self._spare.pop(), folder)  # noqa: PTH104  (hot)
            else:
                os.mkdir(folder, 0o700)  # noqa: PTH102  (hot)
                os.mkdir(f"{folder}/work", 0o700)  # noqa: PTH102  (hot)
        except OSError as error:
            raise NotPrepared(f"the job's folder cannot be made: {error.strerror}", error) from error
        return folder

    def remove(self, attempt: AttemptId) -> None:
        """Gone, or put aside. Never follows a link. Blocks. Source: guarantees.md, F45."""
        with contextlib.suppress(OSError):  # a job did more than it was asked to: the long way
            if _is_spotless(f"{self.folder}/{attempt}"):
                self._set_aside(attempt)
                return
        self._remove_filled(attempt)

    def _set_aside(self, attempt: AttemptId) -> None:
        """Making and removing folders costs a file system ten times what renaming one does."""
        if len(self._spare) >= SPARE_MAX:
            os.rmdir(f"{self.folder}/{attempt}/work")  # noqa: PTH106  (hot)
            os.rmdir(f"{self.folder}/{attempt}")  # noqa: PTH106  (hot)
            return
        self._count += 1
        spare = f"{self.folder}/.spare-{self._count}"
        os.rename(f"{self.folder}/{attempt}", spare)  # noqa: PTH104  (hot)
        self._spare.append(spare)

    def left(self) -> list[AttemptId]:
        """Folders that are there; spare ones of an earlier agent among them."""
        return sorted(AttemptId(entry.name) for entry in self.folder.iterdir())

    def remove_spare(self) -> None:
        """None is left when the worker leaves."""
        while self._spare:
            self._remove_filled(AttemptId(Path(self._spare.pop()).name))

    def _remove_filled(self, attempt: AttemptId) -> None:
        folder = self.folder / attempt
        try:
            remove_all(folder)
        except FileNotFoundError:
            return
        except OSError as error:
            self._put_aside(folder, error)

    def _put_aside(self, folder: Path, why: OSError) -> None:
        try:
            self.quarantine.mkdir(mode=0o700, exist_ok=True)
            folder.rename(self.quarantine / folder.name)
            say(f"{folder} could not be removed ({why.strerror}); it is now in {self.quarantine}, remove it by hand")
        except OSError as error:
            say(f"{folder} could not be removed ({why.strerror}) nor put aside ({error.strerror}); remove it by hand")


def _is_spotless(folder: str) -> bool:
    """Whether nothing but an empty `work` is in it, with the rights that it was made with. Raises OSError."""
    for name in _SIDE_FILES:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{folder}/{name}")  # noqa: PTH108  (hot)
    for path, inside in ((folder, ["work"]), (f"{folder}/work", [])):
        found = os.lstat(path)
        is_ours = stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) == stat.S_IRWXU
        if not is_ours or found.st_uid != os.geteuid() or os.listdir(path) != inside or os.listxattr(path):  # noqa: PTH208
            return False
    return True


async def put_inputs(folder: Path, inputs: list[Input], fetch: Fetch) -> None:
    """Every input in place, its size and SHA-256 checked. Raises NotPrepared, and Problem where the gateway errs."""
    work = os.open(folder / "work", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        for wanted in inputs:
            file = _create(work, wanted.path)
            try:
                async with fetch(wanted.path) as pieces:
                    await _receive(file, wanted, pieces)
            finally:
                os.close(file)
    finally:
        os.close(work)


async def _receive(file: int, wanted: Input, pieces: AsyncIterator[bytes]) -> None:
    digest = hashlib.sha256()
    size_bytes = 0
    async for piece in pieces:
        digest.update(piece)
        size_bytes += len(piece)
        if size_bytes > wanted.size_bytes:
            break
        try:
            rest = memoryview(piece)
            while rest:
                rest = rest[os.write(file, rest) :]
        except OSError as error:
            raise NotPrepared(f"input {wanted.path}: {error.strerror}", error) from error
    if size_bytes != wanted.size_bytes:
        raise NotPrepared(f"input {wanted.path}: {size_bytes} bytes came instead of {wanted.size_bytes}")
    if digest.hexdigest() != wanted.sha256:
        raise NotPrepared(
            f"input {wanted.path}: the bytes that came are not those that were submitted (SHA-256 differs)"
        )


def _create(work: int, path: str) -> int:
    """A file for writing, its folders made on the way, no link followed. Raises NotPrepared."""
    opened = [os.dup(work)]
    try:
        *folders, name = check_path(path, "path").split("/")
        for folder in folders:
            with contextlib.suppress(FileExistsError):  # of an input before
                os.mkdir(folder, 0o755, dir_fd=opened[-1])
            opened.append(os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=opened[-1]))
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(name, flags, 0o644, dir_fd=opened[-1])
    except InvalidRequest as problem:
        raise NotPrepared(f"input {path}: {problem.detail}") from problem
    except OSError as error:
        raise NotPrepared(f"input {path}: {error.strerror}", error) from error
    finally:
        for one in opened:
            os.close(one)
