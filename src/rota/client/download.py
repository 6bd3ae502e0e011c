"""One artifact, fetched: resumed where the connection breaks, and in its place only once its digest is right."""

import asyncio
import hashlib
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

import httpx2

from rota.client.folder import Folder
from rota.client.jobs import path_of
from rota.client.transport import Broken, Call, Patience, Transport
from rota.protocol.ids import JobId
from rota.protocol.job import Artifact
from rota.protocol.problems import DigestMismatch

PARTIAL_CONTENT = 206
AS_IT_IS = {"Accept-Encoding": "identity"}
"""Asks for the bytes themselves: an offset into something compressed on the way would mean nothing."""


async def download(transport: Transport, job_id: JobId, artifact: Artifact, to: Path, name: str) -> Path:
    """Write the artifact to `to/name` and return that path.

    Raises DigestMismatch where the bytes are not those of its sha256; then nothing is written.
    """
    with Folder(to) as folder, folder.write(name, artifact.mode) as file:
        await fetch(transport, job_id, artifact, file)
    return to / name


async def fetch(transport: Transport, job_id: JobId, artifact: Artifact, file: BinaryIO) -> None:
    """Its bytes into an empty file, verified."""
    digest, patience = hashlib.sha256(), Patience(transport.world, transport.patience_s)
    have_bytes = 0
    while True:
        resume = {"Range": f"bytes={have_bytes}-", "If-Range": f'"{artifact.sha256}"'} if have_bytes else {}
        path = path_of(job_id, f"/artifacts/{quote(artifact.path)}")
        call = Call(method="GET", path=path, headers={**AS_IT_IS, **resume})
        try:
            async with transport.open(call) as response:
                if have_bytes and response.status_code != PARTIAL_CONTENT:  # the whole is sent again
                    digest, have_bytes = hashlib.sha256(), 0
                    file.seek(0)
                    file.truncate()
                async for piece in response.aiter_raw():
                    digest.update(piece)
                    have_bytes += len(piece)
                    if have_bytes > artifact.size_bytes:
                        raise DigestMismatch(f"{artifact.path}: more bytes came than its {artifact.size_bytes}.")
                    await asyncio.to_thread(file.write, piece)
                    patience.begin()
            break
        except Broken as broken:
            if not await patience.wait(broken.wait_s):
                raise transport.given_up(broken) from None
        except httpx2.TransportError as error:
            if not await patience.wait(None):
                raise transport.given_up(Broken(error, sent=True)) from None
    if have_bytes != artifact.size_bytes or digest.hexdigest() != artifact.sha256:
        raise DigestMismatch(f"{artifact.path}: what came is not what the job made. Fetch it again.")
