"""All artifacts of a job out of `artifacts.tar.gz`, by an extractor that trusts nothing in it.

Only what the list of artifacts names is written, regular files only, each verified by size and sha256. The standard
library's extraction filters are not relied on: published archives got past them. Source: threats.md, T8, T9.
"""

import gzip
import hashlib
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, BinaryIO, cast

from rota.client.folder import Folder
from rota.protocol.job import Artifact

BLOCK_SIZE_BYTES = 64 * 1024
ENTRY_OVERHEAD_BYTES = 16 * 1024
"""Headers and padding that one entry of an archive may take."""
ARCHIVE_OVERHEAD_BYTES = 1024 * 1024


class UnsafeArchive(Exception):
    """The archive holds something else than the artifacts that the server listed. What was right before it is kept."""


class Limited:
    """A file to read from, that holds at most so many bytes: no archive may grow without end."""

    def __init__(self, file: gzip.GzipFile, limit_bytes: int) -> None:
        self.file, self.left_bytes = file, limit_bytes

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes. Raises UnsafeArchive past the limit."""
        content = self.file.read(min(size, self.left_bytes + 1) if size >= 0 else self.left_bytes + 1)
        self.left_bytes -= len(content)
        if self.left_bytes < 0:
            raise UnsafeArchive("The archive is longer than the artifacts that it should hold. Fetch them one by one.")
        return content


def unpack(archive: BinaryIO, artifacts: Sequence[Artifact], to: Path) -> list[Path]:
    """Write the artifacts below `to`. Raises UnsafeArchive where the archive holds anything else, or less."""
    missing = {artifact.path: artifact for artifact in artifacts}
    limit_bytes = sum(a.size_bytes + ENTRY_OVERHEAD_BYTES for a in artifacts) + ARCHIVE_OVERHEAD_BYTES
    written: list[Path] = []
    try:
        with (
            gzip.GzipFile(fileobj=archive, mode="rb") as plain,
            tarfile.open(fileobj=cast("IO[bytes]", Limited(plain, limit_bytes)), mode="r|") as members,
            Folder(to) as folder,
        ):
            for member in members:
                if member.isdir():
                    continue
                artifact = missing.pop(member.name, None)
                if artifact is None or member.type not in {tarfile.REGTYPE, tarfile.AREGTYPE}:
                    raise UnsafeArchive(
                        f"The archive holds `{member.name}`, which is no listed artifact or no plain file."
                    )
                write(members, member, artifact, folder)
                written.append(to / artifact.path)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UnsafeArchive(f"The archive is damaged: {error}. Fetch it again.") from None
    if missing:
        raise UnsafeArchive(f"The archive lacks `{next(iter(missing))}`. Fetch it again.")
    return written


def write(members: tarfile.TarFile, member: tarfile.TarInfo, artifact: Artifact, folder: Folder) -> None:
    """One file, in its place only once it is verified."""
    content = members.extractfile(member)
    if content is None or member.size != artifact.size_bytes:
        raise UnsafeArchive(f"`{artifact.path}` is not as long in the archive as it was listed.")
    digest = hashlib.sha256()
    with folder.write(artifact.path, artifact.mode) as file:
        while block := content.read(BLOCK_SIZE_BYTES):
            digest.update(block)
            file.write(block)
        if digest.hexdigest() != artifact.sha256:
            raise UnsafeArchive(f"`{artifact.path}` in the archive is not what the job made. Fetch it again.")
