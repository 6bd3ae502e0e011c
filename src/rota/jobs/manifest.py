"""What a backup's folder holds: `manifest.json` is written last, and without it a backup is none.

The databases' digests stand in it. The blobs' own stand in the database, so that they are covered as well:

    NAME/manifest.json   NAME/rota.db   NAME/registry.db   NAME/admin-token   NAME/service-token
    NAME/blobs/<last two of the attempt>/<attempt>.<log, or the digest of the path>
"""

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

import msgspec

from rota.protocol.problems import Conflict, Damaged
from rota.protocol.wire import Answer, Timestamp, encode
from rota.storage.stores.blobs import blob_name
from rota.storage.stores.upkeep import RecordedBlob

FORMAT = 1
MANIFEST = "manifest.json"


class BackupFile(Answer, frozen=True):
    """A database (with the number of its schema) or a token."""

    name: str
    size_bytes: int
    sha256: str
    schema: int | None = None


class Manifest(Answer, frozen=True):
    """`damaged` are blobs that were so when the backup was made: they are not in it."""

    format: int
    rota: str
    made_at: Timestamp
    files: list[BackupFile]
    blobs: int
    size_bytes: int
    damaged: list[tuple[str, str]] = []


def file_of(folder: Path, blob: RecordedBlob) -> Path:
    """Where a backup keeps a blob."""
    return folder / "blobs" / blob.attempt_id[-2:] / f"{blob.attempt_id}.{blob_name(blob.path)}"


def describe(file: Path, schema: int | None = None) -> BackupFile:
    """Size and digest of what is there. Blocks."""
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
        return BackupFile(file.name, os.fstat(opened.fileno()).st_size, digest, schema)


def write(folder: Path, manifest: Manifest) -> None:
    """Durable when it returns, as are the names of all that is in the folder."""
    with new_file(folder / MANIFEST) as opened:
        opened.write(msgspec.json.format(encode(manifest), indent=1) + b"\n")
        opened.flush()
        os.fsync(opened.fileno())
    for inner in (*folder.glob("blobs/*"), *folder.glob("blobs"), folder):
        settle(inner)


def read(folder: Path) -> Manifest:
    """The manifest. Raises Conflict where the folder is no whole backup, or a newer Rota's; Damaged."""
    try:
        content = (folder / MANIFEST).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        why = "it was cut off while it was made" if folder.is_dir() else "there is no such folder"
        raise Conflict(f"{folder} is no whole backup: {why}.") from None
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.DecodeError as error:
        raise Damaged(f"{folder / MANIFEST} cannot be read: {error}.") from None
    if manifest.format > FORMAT:
        raise Conflict(f"{folder} was made by a newer Rota ({manifest.rota}). Upgrade Rota, then restore.")
    return manifest


def new_file(path: Path) -> BinaryIO:
    """For the owner alone, and not there before."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


def settle(folder: Path) -> None:
    """Make the names in it durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
