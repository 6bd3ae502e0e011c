"""All artifacts as one tar.gz, made while it is sent: constant memory for any size. Source: POSIX.1-2001 (pax)."""

import tarfile
import zlib
from collections.abc import AsyncIterator, Sequence

from rota.jobs.logs import LogSource
from rota.protocol.job import Artifact

_GZIP = 31  # zlib's window bits for a gzip header
_LEVEL = 6


async def tar_gz(files: Sequence[tuple[Artifact, LogSource]]) -> AsyncIterator[bytes]:
    """The archive's bytes: regular files only, owned by nobody, with the permission bits that were reported."""
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    for artifact, source in files:
        info = tarfile.TarInfo(artifact.path)
        info.size, info.mode = artifact.size_bytes, artifact.mode & 0o777
        yield compressor.compress(info.tobuf(tarfile.PAX_FORMAT))
        async for piece in source.read(0, artifact.size_bytes):
            yield compressor.compress(piece)
        yield compressor.compress(b"\0" * (-artifact.size_bytes % tarfile.BLOCKSIZE))
    yield compressor.compress(b"\0" * tarfile.RECORDSIZE)
    yield compressor.flush()
