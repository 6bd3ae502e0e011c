"""Blobs as files in a folder: `<root>/<last two of the attempt>/<attempt>/<log or digest of the path>`."""

import asyncio
import contextlib
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from rota.protocol.ids import AttemptId
from rota.protocol.problems import Damaged, InvalidRequest, OffsetMismatch, Unavailable
from rota.storage.disk import Disk
from rota.storage.stores.blobs import StoredBlob, blob_name

PIECE_SIZE_BYTES = 1024 * 1024
DIGESTS_MAX = 10_000
"""Uploads whose digest is known so far; that of any other is made of its bytes when it ends."""
_GONE = "These bytes are gone from the server's store."
_CUT = "These bytes are damaged in the server's store: some are missing."
_CHANGED = "These bytes are damaged in the server's store: their digest is another than the recorded one."


class FolderBlobs:
    """See the port, `rota.storage.stores.blobs.BlobStore`."""

    def __init__(self, root: Path, disk: Disk | None = None) -> None:
        self._root = root
        self._disk = disk or Disk()
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._digests: dict[tuple[AttemptId, str], tuple[int, hashlib._Hash]] = {}

    async def size(self, attempt: AttemptId, path: str) -> int:
        try:
            return self._file(attempt, path).stat().st_size
        except FileNotFoundError:
            return 0

    async def append(self, attempt: AttemptId, path: str, offset: int, piece: bytes) -> int:
        self._disk.check_upload()
        try:
            return await asyncio.to_thread(self._append, attempt, path, offset, piece)
        except OSError as error:
            raise Unavailable(f"The server's disk does not take the bytes: {error.strerror}.") from error

    async def seal(self, attempt: AttemptId, path: str) -> tuple[int, str]:
        self._disk.check_trust()
        try:
            return await asyncio.to_thread(self._seal, attempt, path)
        except FileNotFoundError:
            return 0, hashlib.sha256().hexdigest()
        except OSError as error:
            raise Unavailable(f"The server's disk does not keep the bytes: {error.strerror}.") from error

    async def settle(self, attempt: AttemptId) -> None:
        self._disk.check_trust()
        try:
            await asyncio.to_thread(self._settle, attempt)
        except OSError as error:
            raise Unavailable(f"The server's disk does not keep the bytes: {error.strerror}.") from error

    async def read(
        self, attempt: AttemptId, path: str, start: int, end: int, sha256: str | None = None
    ) -> AsyncIterator[bytes]:
        try:
            file = await asyncio.to_thread(os.open, self._file(attempt, path), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise Damaged(_GONE) from None
        digest = hashlib.sha256()
        try:
            while start < end:
                piece = await asyncio.to_thread(_piece, file, min(PIECE_SIZE_BYTES, end - start), start, digest)
                start += len(piece)
                if start == end and sha256 not in {None, digest.hexdigest()}:
                    raise Damaged(_CHANGED)
                yield piece
        finally:
            os.close(file)

    async def digest(self, attempt: AttemptId, path: str) -> tuple[int, str] | None:
        try:
            return await asyncio.to_thread(_digest, self._file(attempt, path))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Damaged(f"These bytes cannot be read from the server's disk: {error.strerror}.") from error

    def stored(self) -> Iterator[list[StoredBlob]]:
        for folder in sorted(self._root.glob("??/*")):
            found = [(file.name, file.stat()) for file in folder.iterdir() if file.is_file()]
            attempt = AttemptId(folder.name)
            yield [StoredBlob(attempt, name, told.st_size, told.st_mtime) for name, told in found]

    def discard(self, attempt: AttemptId, name: str) -> None:
        (self._folder(attempt) / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # there are others of that attempt
            self._folder(attempt).rmdir()

    def place(self, attempt: AttemptId, path: str) -> Path | None:
        file = self._file(attempt, path)
        return file if file.is_file() else None

    async def delete(self, attempt: AttemptId) -> None:
        for key in [key for key in self._digests if key[0] == attempt]:
            del self._digests[key]
        await asyncio.to_thread(shutil.rmtree, self._folder(attempt), ignore_errors=True)

    def _folder(self, attempt: AttemptId) -> Path:
        return self._root / attempt[-2:] / attempt

    def _file(self, attempt: AttemptId, path: str) -> Path:
        return self._folder(attempt) / blob_name(path)

    def _append(self, attempt: AttemptId, path: str, offset: int, piece: bytes) -> int:
        file = self._file(attempt, path)
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size != offset:
                raise OffsetMismatch(f"{size} bytes are stored; go on from there.", size)
            written = os.write(descriptor, piece)
        finally:
            os.close(descriptor)
        known, digest = self._digests.get((attempt, path), (0, None))
        if offset == 0:
            known, digest = 0, hashlib.sha256()
        if digest is not None and known == offset:
            digest.update(piece[:written])
            self._digests[attempt, path] = (offset + written, digest)
            while len(self._digests) > DIGESTS_MAX:  # of uploads that nobody went on with
                self._digests.pop(next(iter(self._digests)), None)
        if written < len(piece):  # the disk is full: what fits is kept, the rest is asked for again
            raise Unavailable("The server's disk is full: what fits is kept, go on from there later.")
        return offset + written

    def _seal(self, attempt: AttemptId, path: str) -> tuple[int, str]:
        file = self._file(attempt, path)
        with file.open("rb") as opened:
            self._sync(opened.fileno())
            size = os.fstat(opened.fileno()).st_size
            known, digest = self._digests.pop((attempt, path), (0, None))
            if digest is None or known != size:  # begun by an earlier process of the server
                digest = hashlib.file_digest(opened, "sha256")
        return size, digest.hexdigest()

    def _settle(self, attempt: AttemptId) -> None:
        folder = self._folder(attempt)
        for one in (folder, folder.parent, self._root):
            descriptor = os.open(one, os.O_RDONLY | os.O_DIRECTORY)
            try:
                self._sync(descriptor)  # the names must be as durable as the bytes
            finally:
                os.close(descriptor)

    def _sync(self, descriptor: int) -> None:
        try:
            os.fsync(descriptor)
        except OSError as error:
            self._disk.distrust(error)
            raise


def _piece(file: int, size: int, start: int, digest: "hashlib._Hash") -> bytes:
    piece = os.pread(file, size, start)
    if not piece:
        raise Damaged(_CUT)
    digest.update(piece)
    return piece


def _digest(file: Path) -> tuple[int, str]:
    with file.open("rb") as opened:
        return os.fstat(opened.fileno()).st_size, hashlib.file_digest(opened, "sha256").hexdigest()


def folder_of_blobs(blobs: str | None, data: Path) -> Path:
    """The folder that `--blobs` names. Raises InvalidRequest for a store that is not supported yet."""
    if blobs is None:
        return data / "blobs"
    scheme, separator, path = blobs.partition("://")
    if separator and scheme != "file":
        raise InvalidRequest.of("blobs", f"`{scheme}` is not supported yet; give a folder, or file:///FOLDER")
    return Path(path if separator else blobs)
