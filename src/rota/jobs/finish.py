"""A worker's report of an attempt's end is checked before it is recorded. Source: protocol.md, "jobFinished"."""

import hashlib

import msgspec

from rota.protocol.job_finished import ArtifactReport, Finished, LogReport
from rota.protocol.paths import check_path
from rota.protocol.problems import Conflict, InvalidRequest, Problem
from rota.protocol.wire import INLINE_SIZE_BYTES_MAX, encode, from_base64, parse_timestamp, timestamp
from rota.storage.stores.blobs import BlobStore

_EMPTY = hashlib.sha256().hexdigest()


def digest(end: Finished) -> str:
    """What a repeat is compared with: all of the report but how its bytes travelled."""
    artifacts = sorted((a.path, a.size_bytes, a.sha256, a.mode) for a in end.artifacts)
    told = (end.result, end.log.size_bytes, end.log.sha256, artifacts, end.started_at, end.finished_at, end.problems)
    return hashlib.sha256(encode(told)).hexdigest()


def in_utc(end: Finished) -> Finished:
    """The report with its times as Rota writes them. Raises InvalidRequest where one names no moment."""
    times: dict[str, str | None] = {"started_at": end.started_at, "finished_at": end.finished_at}
    for field, at in times.items():
        try:
            times[field] = None if at is None else timestamp(parse_timestamp(at))
        except (ValueError, OverflowError):
            raise InvalidRequest.of(field, "is no moment such as 2026-11-23T12:00:00.000000Z") from None
    return msgspec.structs.replace(end, **times)


async def check(end: Finished, blobs: BlobStore) -> Problem | None:
    """The problem of a report that cannot be taken: a byte is missing or differs. What was uploaded is now durable."""
    try:
        in_utc(end)
        await _check_bytes(end, "log", "", end.log, blobs)
        seen: set[str] = set()
        for index, artifact in enumerate(end.artifacts):
            field = f"artifacts[{index}]"
            if check_path(artifact.path, f"{field}.path") in seen:
                raise InvalidRequest.of(f"{field}.path", "is reported twice")
            seen.add(artifact.path)
            await _check_bytes(end, field, artifact.path, artifact, blobs)
        parts: list[LogReport | ArtifactReport] = [end.log, *end.artifacts]
        if any(told.inline is None and told.size_bytes for told in parts):
            await blobs.settle(end.attempt_id)
    except Problem as problem:
        return problem
    return None


async def _check_bytes(
    end: Finished, field: str, path: str, told: LogReport | ArtifactReport, blobs: BlobStore
) -> None:
    if told.inline is not None:
        content = from_base64(told.inline, f"{field}.inline")
        if len(content) > INLINE_SIZE_BYTES_MAX:
            raise InvalidRequest.of(f"{field}.inline", f"is over {INLINE_SIZE_BYTES_MAX} bytes; upload it before")
        found = len(content), hashlib.sha256(content).hexdigest()
    elif told.size_bytes == 0:
        found = 0, _EMPTY
    else:
        found = await blobs.seal(end.attempt_id, path)
    if found != (told.size_bytes, told.sha256):
        size, sha256 = found
        raise Conflict(
            f"{field}: {told.size_bytes} bytes with sha256 {told.sha256} were reported; the server has {size} bytes "
            f"with {sha256}. Upload what is missing, then finish again.",
            field=field,
        )
