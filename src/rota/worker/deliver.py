"""What is too large for a message is uploaded before it: an attempt's log and artifacts. Source: protocol.md."""

import asyncio
import os
from pathlib import Path
from typing import NamedTuple

import msgspec

from rota.protocol.job_finished import ArtifactReport, Finished, LogReport, Uncollected
from rota.protocol.problems import LeaseLost, NotFound, Problem
from rota.protocol.wire import from_base64
from rota.worker.beneath import Refused, open_file
from rota.worker.calls import explain
from rota.worker.gateway import Gateway
from rota.worker.log import EMPTY, LiveLogs
from rota.worker.upload import Shrunk, Upload
from rota.worker.workspace import Workspaces
from rota.world import World

_LOST = (LeaseLost, NotFound)


class Delivery(NamedTuple):
    """What uploads are made with."""

    gateway: Gateway
    world: World
    logs: LiveLogs
    workspaces: Workspaces
    uploads: asyncio.Semaphore
    is_resumed: bool = False
    """Whether an earlier agent may have sent some of it: then the gateway is asked what it has."""


def needs_upload(finished: Finished) -> bool:
    """Whether any part of it is not in the message itself."""
    return finished.log.inline is None or any(artifact.inline is None for artifact in finished.artifacts)


async def complete(finished: Finished, delivery: Delivery) -> Finished:
    """Upload what is not inline; the report of what was really sent. Raises LeaseLost, NotFound."""
    problems = list(finished.problems)
    logged = await _log(finished, delivery, problems)
    kept = await asyncio.gather(*(_artifact(finished, one, delivery, problems) for one in finished.artifacts))
    artifacts = [artifact for artifact in kept if artifact is not None]
    return msgspec.structs.replace(finished, log=logged, artifacts=artifacts, problems=problems)


async def _log(finished: Finished, delivery: Delivery, problems: list[Uncollected]) -> LogReport:
    upload = await delivery.logs.taken(finished.attempt_id)
    if finished.log.inline is not None:
        if upload.began(from_base64(finished.log.inline, "log.inline")):
            return finished.log
        problems.append(Uncollected("log", "changed by the job while it ran: what is left is not what was sent"))
        return EMPTY
    try:
        path = delivery.workspaces.of(finished.attempt_id) / "log"
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        problems.append(Uncollected("log", f"cannot be read: {error.strerror}"))
        return EMPTY
    try:
        async with delivery.uploads:
            sent = await upload.finish(file, finished.log.size_bytes, is_interrupted=delivery.is_resumed)
    except Shrunk:
        problems[:] = [problem for problem in problems if problem.what != "log"]  # there is none that could be cut
        problems.append(Uncollected("log", "cut by the job while it ran: what is left is not what was sent"))
        return EMPTY
    finally:
        os.close(file)
    if sent.is_cut:
        problems.append(Uncollected("log", f"cut after {sent.size_bytes} bytes, the server's limit"))
    elif sent.sha256 != finished.log.sha256:  # the machine lost its power before it was on disk, or the job changed it
        problems.append(
            Uncollected("log", f"{sent.size_bytes} bytes are left of {finished.log.size_bytes}, or changed")
        )
    return LogReport(sent.size_bytes, sent.sha256)


async def _artifact(
    finished: Finished, artifact: ArtifactReport, delivery: Delivery, problems: list[Uncollected]
) -> ArtifactReport | None:
    if artifact.inline is not None:
        return artifact
    async with delivery.uploads:
        try:
            file = _open(delivery.workspaces.of(finished.attempt_id) / "work", artifact.path)
        except Refused as refused:
            problems.append(Uncollected("artifact", str(refused), artifact.path))
            return None
        try:
            upload = Upload(delivery.gateway, delivery.world, finished.attempt_id, artifact.path)
            sent = await upload.finish(file, artifact.size_bytes, is_interrupted=delivery.is_resumed)
        except _LOST:
            raise
        except Shrunk:
            problems.append(Uncollected("artifact", "became shorter while it was sent", artifact.path))
            return None
        except Problem as problem:
            problems.append(Uncollected("artifact", f"the server did not take it ({explain(problem)})", artifact.path))
            return None
        finally:
            os.close(file)
    if sent.is_cut:
        problems.append(Uncollected("artifact", "larger than the server's limit", artifact.path))
        return None
    if sent.sha256 != artifact.sha256:
        problems.append(Uncollected("artifact", "changed while it was collected", artifact.path))
    return msgspec.structs.replace(artifact, size_bytes=sent.size_bytes, sha256=sent.sha256)


def _open(root: Path, path: str) -> int:
    try:
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise Refused(f"cannot be read: {error.strerror}") from error
    try:
        return open_file(folder, root, path)
    finally:
        os.close(folder)
