"""How an attempt's end becomes a jobFinished: result, log and artifacts together. Source: protocol.md, "Finished"."""

import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from rota.protocol.ids import AttemptId
from rota.protocol.job_finished import Finished, Reason, ReportedResult, ReportedUsage, Uncollected
from rota.protocol.wire import Timestamp, timestamp
from rota.worker import log
from rota.worker.artifacts import Collected, collect
from rota.worker.held import Note
from rota.worker.options import WorkerOptions
from rota.worker.shepherd.messages import Ended

RESULT_SIZE_BYTES_MAX = 64 * 1024
SMALL_LOG_SIZE_BYTES = 16 * 1024


def is_quick(end: Ended, note: Note) -> bool:
    """Whether putting it together takes no longer than a turn of the event loop may."""
    return not note.artifacts and end.log_size_bytes <= SMALL_LOG_SIZE_BYTES


def finished(end: Ended, note: Note, folder: Path, options: WorkerOptions) -> Finished:
    """The report of an attempt that ended. Blocks while it reads files; never raises for what the job left."""
    collected = Collected()
    if note.artifacts and end.started_at is not None:
        size_bytes_max, count_max = options.artifact_size_bytes_max, options.artifacts_max
        collected = collect(folder / "work", note.artifacts, size_bytes_max, count_max)
    problems = collected.problems
    if end.log_problem is not None:
        problems.append(Uncollected("log", end.log_problem))
    try:
        logged = log.report(folder, end.log_size_bytes)
    except OSError as error:
        logged = log.EMPTY
        problems.append(Uncollected("log", f"cannot be read: {error.strerror}"))
    if logged.size_bytes < end.log_size_bytes and logged is not log.EMPTY:
        problems.append(Uncollected("log", f"only {logged.size_bytes} of {end.log_size_bytes} bytes are left"))
    value, problem = result_value(folder / "result")
    if problem is not None:
        problems.append(Uncollected("result", problem))
    return Finished(
        attempt_id=AttemptId(end.attempt_id), result=_result(end, value), log=logged, artifacts=collected.artifacts,
        started_at=None if end.started_at is None else _moment(end.started_at), finished_at=_moment(end.finished_at),
        problems=problems,
    )  # fmt: skip


def unstarted(attempt: AttemptId, reason: Reason, message: str, at: datetime) -> Finished:
    """The report of an attempt for which no process was made."""
    result = ReportedResult(exit_code=None, signal=None, reason=reason, message=message)
    return Finished(attempt, result, log.EMPTY, [], None, timestamp(at))


def bare(end: Ended) -> Finished:
    """The report of an attempt whose files could not be put together: how it ended, and no more."""
    told = Uncollected("result", "the worker could not put log, artifacts and value together; they are left out")
    started_at = None if end.started_at is None else _moment(end.started_at)
    result, finished_at = _result(end, None), _moment(end.finished_at)
    return Finished(AttemptId(end.attempt_id), result, log.EMPTY, [], started_at, finished_at, [told])


def without_uploads(whole: Finished) -> Finished:
    """The report with only what is in the message itself."""
    told = Uncollected("artifact", "the worker could not upload what is large; it is left out")
    logged = log.EMPTY if whole.log.inline is None else whole.log
    artifacts = [artifact for artifact in whole.artifacts if artifact.inline is not None]
    return msgspec.structs.replace(whole, log=logged, artifacts=artifacts, problems=[*whole.problems, told])


def reduced(whole: Finished, why: str) -> Finished:
    """How it ended and no more, for a gateway that does not take the whole."""
    told = Uncollected(
        "result", f"the server did not take this report as a whole ({why}); log, artifacts and value are left out"
    )
    result = msgspec.structs.replace(whole.result, value=None, message=(whole.result.message or "")[:1000] or None)
    return msgspec.structs.replace(whole, result=result, log=log.EMPTY, artifacts=[], problems=[told])


def result_value(path: Path) -> tuple[Any, str | None]:
    """The JSON in the file that ROTA_RESULT named (none: null), and what is wrong with it. Source: threats.md, T12."""
    try:
        content = _small_file(path)
    except FileNotFoundError:
        return None, None
    except OSError as error:
        return None, f"cannot be read: {error.strerror}"
    if content is None:
        return None, f"is no regular file of at most {RESULT_SIZE_BYTES_MAX} bytes"
    try:
        value = msgspec.json.decode(content)
        msgspec.json.encode(value)
    except (msgspec.DecodeError, msgspec.EncodeError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        return None, f"is not JSON: {error}"
    return value, None


def _small_file(path: Path) -> bytes | None:
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return None
        content = os.read(file, RESULT_SIZE_BYTES_MAX + 1)
        return content if len(content) <= RESULT_SIZE_BYTES_MAX else None
    finally:
        os.close(file)


def _result(end: Ended, value: Any) -> ReportedResult:  # noqa: ANN401  (any JSON)
    usage = ReportedUsage(end.wall_s, end.user_s, end.system_s, end.max_rss_bytes)
    return ReportedResult(end.exit_code, end.signal, Reason(end.reason), end.message, value, usage)


def _moment(seconds: float) -> Timestamp:
    return timestamp(datetime.fromtimestamp(seconds, UTC))
