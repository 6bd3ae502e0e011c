"""A backup becomes a data folder again, every byte compared. Source: guarantees.md, F53."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from rota.jobs import manifest as manifests
from rota.jobs.manifest import BackupFile, Manifest, file_of, settle
from rota.protocol.problems import Conflict, Damaged
from rota.storage.stores.blobs import blob_name
from rota.storage.stores.upkeep import DatabaseFiles, Tell

RESTORING = ".rota-restoring"
WHY = "the server was restored from a backup: what was held then is not held now"
_PIECE_SIZE_BYTES = 1024 * 1024


def unfinished(data: Path) -> Path:
    """Where it is put together, beside the folder that it becomes."""
    return data.with_name(data.name + RESTORING)


def check_target(data: Path) -> None:
    """Raise Conflict where there is something: nothing is ever written over."""
    if data.exists() and (not data.is_dir() or any(data.iterdir())):
        raise Conflict(f"{data} is not empty. Name a folder that is not there yet; nothing is written over.")


def unpack(backup: Path, to: Path, manifest: Manifest, files: DatabaseFiles, tell: Tell) -> None:
    """Copy it, comparing sizes and digests; durable but for the name of `to` itself. Blocks.

    Raises Damaged where a byte is missing or differs from what the backup was made of.
    """
    shutil.rmtree(to, ignore_errors=True)  # of a restore that was cut off
    to.mkdir(parents=True, mode=0o700)
    known, done_bytes = {tuple(one) for one in manifest.damaged}, 0

    def copied(size_bytes: int) -> None:
        nonlocal done_bytes
        done_bytes += size_bytes
        tell(done_bytes, manifest.size_bytes)

    for file in manifest.files:
        _copy(backup / file.name, to / file.name, file, copied)
    folders = {to, to / "blobs"}
    (to / "blobs").mkdir(mode=0o700)
    for batch in files.blobs_in(to / manifest.files[0].name):
        for blob in batch:
            if (blob.attempt_id, blob.path) in known:
                continue
            place = to / "blobs" / blob.attempt_id[-2:] / blob.attempt_id
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            folders |= {place, place.parent}
            wanted = BackupFile(str(blob), blob.size_bytes, blob.sha256)
            _copy(file_of(backup, blob), place / blob_name(blob.path), wanted, copied)
    for folder in folders:
        settle(folder)


def name_it(folder: Path, data: Path) -> None:
    """From now on it is there, whole. Raises Conflict where it cannot take the place of `data`."""
    settle(folder)
    try:
        folder.rename(data)  # also over an empty folder
    except OSError as error:
        raise Conflict(
            f"{data} cannot be made of {folder}: {error.strerror}. Name a folder that is not there."
        ) from None
    settle(data.parent)


def _copy(source: Path, to: Path, wanted: BackupFile, copied: Callable[[int], None]) -> None:
    digest, size_bytes = hashlib.sha256(), 0
    try:
        with source.open("rb") as opened, manifests.new_file(to) as written:
            while piece := opened.read(_PIECE_SIZE_BYTES):
                digest.update(piece)
                size_bytes += len(piece)
                written.write(piece)
                copied(len(piece))
            written.flush()
            os.fsync(written.fileno())
    except FileNotFoundError:
        raise Damaged(f"The backup is damaged: {source} is gone.") from None
    if (size_bytes, digest.hexdigest()) != (wanted.size_bytes, wanted.sha256):
        raise Damaged(f"The backup is damaged: {source} has other bytes than it was made with.")
