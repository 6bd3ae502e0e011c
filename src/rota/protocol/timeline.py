"""Who ran what, and when: the attempts of a stretch of time. Source: protocol.md, "Timeline"."""

from rota.protocol.ids import AttemptId, JobId, WorkerId
from rota.protocol.states import AttemptState
from rota.protocol.wire import Answer, Timestamp


class Run(Answer, frozen=True):
    """One attempt. `began_at` is when it was given out; `ran_s` is null while a worker holds it."""

    attempt_id: AttemptId
    job_id: JobId
    name: str | None
    worker_id: WorkerId
    state: AttemptState
    began_at: Timestamp
    ran_s: float | None
    exit_code: int | None


class Timeline(Answer, frozen=True):
    """Of the last `window_s` seconds before `at`, the newest first; `is_cut` where there were more than are told."""

    at: Timestamp
    window_s: float
    runs: list[Run]
    is_cut: bool = False
