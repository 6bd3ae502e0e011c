"""A worker's report of an attempt's end is checked before it is recorded. Source: protocol.md, "jobFinished"."""

import hashlib
from collections.abc import Sequence
from itertools import pairwise

import msgspec

from rota.protocol.ids import AttemptId
from rota.protocol.job_finished import VALUE_SIZE_BYTES_MAX, ArtifactReport, Finished, LogReport, Reason, Result
from rota.protocol.paths import check_path
from rota.protocol.problems import Conflict, InvalidRequest, TooLarge
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


async def checked(end: Finished, blobs: BlobStore) -> Finished:
    """The report as it is recorded; what was uploaded is now durable.

    Raises Conflict where a byte is missing or differs, InvalidRequest where a field cannot be, TooLarge, and
    Unavailable where the disk does not take or confirm anything now.
    """
    end = in_utc(end)
    _check_result(end.result)
    _check_paths(end.artifacts)
    log = await _log(end, blobs)
    for index, artifact in enumerate(end.artifacts):
        await _check_bytes(end.attempt_id, f"artifacts[{index}]", artifact.path, artifact, blobs)
    parts: list[LogReport | ArtifactReport] = [log, *end.artifacts]
    if any(told.inline is None and told.size_bytes for told in parts):
        await blobs.settle(end.attempt_id)
    return end if log is end.log else msgspec.structs.replace(end, log=log)


async def _log(end: Finished, blobs: BlobStore) -> LogReport:
    """The log as reported; where the worker says that it could not be collected, what it had sent until then."""
    try:
        await _check_bytes(end.attempt_id, "log", "", end.log, blobs)
    except Conflict:
        if not any(problem.what == "log" for problem in end.problems):
            raise
        return LogReport(*await blobs.seal(end.attempt_id, ""))
    return end.log


def _check_result(result: Result) -> None:
    """Refuse only what cannot be meant: no result is lost over a form."""
    if result.reason is Reason.EXITED and result.exit_code is None:
        raise InvalidRequest.of("result.exit_code", "is missing, though the reason is `exited`")
    if result.reason is Reason.SIGNALED and not result.signal:
        raise InvalidRequest.of("result.signal", "is missing, though the reason is `signaled`")
    if result.value is not None and len(encode(result.value)) > VALUE_SIZE_BYTES_MAX:
        raise TooLarge(
            f"result.value is more than {VALUE_SIZE_BYTES_MAX} bytes of JSON; send it as an artifact.",
            limit_bytes=VALUE_SIZE_BYTES_MAX,
        )


def _check_paths(artifacts: Sequence[ArtifactReport]) -> None:
    """Each once, and none is the folder of another: they can be fetched into one folder."""
    places: dict[str, int] = {}
    for index, artifact in enumerate(artifacts):
        if check_path(artifact.path, f"artifacts[{index}].path") in places:
            raise InvalidRequest.of(f"artifacts[{index}].path", "is reported twice")
        places[artifact.path] = index
    # NUL is in no path and sorts first: what lies in a folder comes right behind it.
    for path, next_path in pairwise(sorted(places, key=lambda path: path.replace("/", "\0"))):
        if next_path.startswith(f"{path}/"):
            raise InvalidRequest.of(
                f"artifacts[{places[path]}].path", "is the folder of another artifact; it cannot be a file too"
            )


async def _check_bytes(
    attempt: AttemptId, field: str, path: str, told: LogReport | ArtifactReport, blobs: BlobStore
) -> None:
    if told.inline is not None:
        content = from_base64(told.inline, f"{field}.inline")
        if len(content) > INLINE_SIZE_BYTES_MAX:
            raise InvalidRequest.of(f"{field}.inline", f"is over {INLINE_SIZE_BYTES_MAX} bytes; upload it before")
        await _check_begun(attempt, field, path, content, blobs)
        found = len(content), hashlib.sha256(content).hexdigest()
    elif told.size_bytes == 0:
        await _check_begun(attempt, field, path, b"", blobs)
        found = 0, _EMPTY
    else:
        found = await blobs.seal(attempt, path)
    if found != (told.size_bytes, told.sha256):
        size, sha256 = found
        raise Conflict(
            f"{field}: {told.size_bytes} bytes with sha256 {told.sha256} were reported; the server has {size} bytes "
            f"with {sha256}. Upload what is missing, then finish again.",
            field=field,
        )


async def _check_begun(attempt: AttemptId, field: str, path: str, content: bytes, blobs: BlobStore) -> None:
    """What was uploaded before is never changed: `content` begins with it. Raises Conflict."""
    stored = await blobs.size(attempt, path)
    if stored == 0:
        return
    begun = b"".join([piece async for piece in blobs.read(attempt, path, 0, min(stored, len(content)))])
    if len(begun) < stored or not content.startswith(begun):
        raise Conflict(
            f"{field}: {len(content)} bytes were reported that do not begin with the {stored} bytes uploaded before; "
            "bytes that are stored are never changed.",
            field=field,
        )
