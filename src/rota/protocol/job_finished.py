"""jobFinished → jobFinishedReceived: artifacts, log and result of an attempt. Its answer means: durable.

Source: flows.md, "Full execution with job", "Job has Non-Zero Exitcode".
"""

from enum import StrEnum
from typing import Annotated, Any, Literal

from msgspec import Meta

from rota.protocol.ids import AttemptId
from rota.protocol.refuse_job import Rejected
from rota.protocol.wire import Answer, Base64, Request, Sha256, Size, Timestamp

VALUE_SIZE_BYTES_MAX = 256 * 1024
"""Of `result.value` as JSON. A worker takes 64 KiB from a job; numbers may be longer as the server writes them."""


class Reason(StrEnum):
    """Why the job's process is no more."""

    EXITED = "exited"  # by itself, with an exit code
    SIGNALED = "signaled"  # by a signal that Rota did not send
    TIMED_OUT = "timed_out"  # stopped after timeout_s
    CANCELLED = "cancelled"  # stopped because somebody cancelled it
    OUT_OF_MEMORY = "out_of_memory"  # killed by the kernel's or a limit's doing
    NOT_STARTED = "not_started"  # the process could not be made; `message` says why


class Usage(Answer, frozen=True):
    """What the job's processes used, from the kernel.

    `max_rss_bytes` is of the largest one process. On Linux a new program inherits the peak of the process that started
    it, so that it is never less than the shepherd's own, about 20 MiB. Source: getrusage(2), execve(2).
    """

    wall_s: Annotated[float, Meta(ge=0)] = 0
    user_s: Annotated[float, Meta(ge=0)] = 0
    system_s: Annotated[float, Meta(ge=0)] = 0
    max_rss_bytes: Size = 0


class Result(Answer, frozen=True):
    """How the job ended. A non-zero exit code is a result like any other."""

    exit_code: Annotated[int, Meta(ge=-(2**31), lt=2**32)] | None
    signal: str | None
    reason: Reason
    message: str | None = None
    value: Any = None
    usage: Usage = Usage()


class ReportedUsage(Usage, frozen=True, forbid_unknown_fields=True):
    """The same, strict."""


class ReportedResult(Result, frozen=True, forbid_unknown_fields=True):
    """The same, strict."""

    usage: ReportedUsage = ReportedUsage()


class LogReport(Request, frozen=True):
    """The whole log: sent inline where it is small, else uploaded before."""

    size_bytes: Size
    sha256: Sha256
    inline: Base64 | None = None


class ArtifactReport(Request, frozen=True):
    """One artifact: sent inline where it is small, else uploaded before. `mode` is the file's permission bits."""

    path: str
    size_bytes: Size
    sha256: Sha256
    mode: Annotated[int, Meta(ge=0, le=0o7777)]
    inline: Base64 | None = None


class Uncollected(Request, frozen=True):
    """What could not be collected. It never changes the exit code."""

    what: Literal["artifact", "log", "result"]
    message: str
    path: str | None = None


class Finished(Request, frozen=True):
    """One attempt's end."""

    attempt_id: AttemptId
    result: ReportedResult
    log: LogReport
    artifacts: list[ArtifactReport]
    started_at: Timestamp | None
    finished_at: Timestamp
    problems: list[Uncollected] = []


class JobFinished(Request, frozen=True):
    """Ends of attempts, many in one message."""

    attempts: Annotated[list[Finished], Meta(min_length=1, max_length=10_000)]


class JobFinishedReceived(Answer, frozen=True):
    """`received` is durable. Sent again it answers the same; sent again with another result it is a `conflict`."""

    received: list[AttemptId]
    rejected: list[Rejected] = []
