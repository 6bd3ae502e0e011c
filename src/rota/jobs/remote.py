"""The Job service over HTTP, as gateway, registry and scheduler see it."""

from collections.abc import AsyncIterator, Sequence
from urllib.parse import quote, urlencode

from rota.http.peer import TIMEOUT_S, Peer
from rota.jobs.inner_http import Offset, Release, ToStart, Unstartable, WorkerBeats, WorkerFinished, WorkerRefuses
from rota.protocol.decide import Decision, Decisions, Ended, EndedJobs
from rota.protocol.get_job import Arrivals, GetJobForWorker, Given
from rota.protocol.heartbeat import Renewed
from rota.protocol.ids import AttemptId, Incarnation, WorkerId
from rota.protocol.job_finished import Finished, JobFinishedReceived
from rota.protocol.participants import Content
from rota.protocol.policy import Announcement
from rota.protocol.refuse_job import Refusal, RefuseAccepted

_BASE = "/internal/v1"
_GET_JOB_TIMEOUT_S = 5.0  # it never waits for work; a service that hangs must be noJob before the worker gives up
_FINISH_TIMEOUT_S = 120.0  # the digest of what was uploaded is checked meanwhile


class _RemoteContent:
    """See `rota.protocol.participants.Content`."""

    def __init__(self, peer: Peer, path: str, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self._peer, self._path = peer, path

    async def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        if start < end:
            async for piece in self._peer.pieces(self._path, {"Range": f"bytes={start}-{end - 1}"}):
                yield piece


class RemoteJob:
    """See `rota.protocol.participants.Job`."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def get_job_for_worker(self, ask: GetJobForWorker) -> Given:
        return await self._peer.ask("POST", f"{_BASE}/get-job", Given, ask, _GET_JOB_TIMEOUT_S)

    async def arrivals(self, after: int, wait_s: float) -> Arrivals:
        path = f"{_BASE}/arrivals?after={after}&wait_s={wait_s}"
        return await self._peer.ask("GET", path, Arrivals, timeout_s=wait_s + TIMEOUT_S)

    async def refuse_job(self, worker: WorkerId, refusals: Sequence[Refusal]) -> RefuseAccepted:
        asked = WorkerRefuses(worker, list(refusals))
        return await self._peer.ask("POST", f"{_BASE}/refuse-job", RefuseAccepted, asked)

    async def job_finished(self, worker: WorkerId, finished: Sequence[Finished]) -> JobFinishedReceived:
        told = WorkerFinished(worker, list(finished))
        path = f"{_BASE}/job-finished"
        return await self._peer.ask("POST", path, JobFinishedReceived, told, _FINISH_TIMEOUT_S)

    async def heartbeat(self, worker: WorkerId, environment: str, attempts: Sequence[AttemptId]) -> Renewed:
        beats = WorkerBeats(worker, environment, list(attempts))
        return await self._peer.ask("POST", f"{_BASE}/heartbeat", Renewed, beats)

    async def upload(
        self, worker: WorkerId, attempt: AttemptId, path: str | None, offset: int, content: AsyncIterator[bytes]
    ) -> int:
        headers = {"Upload-Offset": str(offset), "Content-Type": "application/octet-stream"}
        stored = await self._peer.send(_bytes_of("upload", worker, attempt, path), content, headers, Offset)
        return stored.offset

    async def upload_offset(self, worker: WorkerId, attempt: AttemptId, path: str | None) -> int:
        return (await self._peer.ask("GET", _bytes_of("upload", worker, attempt, path), Offset)).offset

    async def input(self, worker: WorkerId, attempt: AttemptId, path: str) -> Content:
        size = await self._peer.ask("GET", _bytes_of("input-size", worker, attempt, path), Offset)
        return _RemoteContent(self._peer, _bytes_of("input", worker, attempt, path), size.offset)

    async def release(self, worker: WorkerId, incarnation: Incarnation, keep: Sequence[AttemptId]) -> None:
        await self._peer.tell("POST", f"{_BASE}/release", Release(worker, incarnation, list(keep)))

    async def unstartable(self, worker: WorkerId, attempts: Sequence[AttemptId]) -> list[AttemptId]:
        asked = ToStart(worker, list(attempts))
        return (await self._peer.ask("POST", f"{_BASE}/unstartable", Unstartable, asked)).attempts

    async def ended(self, limit: int, wait_s: float) -> list[Ended]:
        path = f"{_BASE}/ended?limit={limit}&wait_s={wait_s}"
        return (await self._peer.ask("GET", path, EndedJobs, timeout_s=wait_s + TIMEOUT_S)).jobs

    async def decide(self, decisions: Sequence[Decision]) -> None:
        await self._peer.tell("POST", f"{_BASE}/decide", Decisions(list(decisions)))

    async def announce(self, policies: Sequence[str]) -> None:
        await self._peer.tell("POST", f"{_BASE}/policies", Announcement(list(policies)))


def _bytes_of(what: str, worker: WorkerId, attempt: AttemptId, path: str | None) -> str:
    query = {"worker_id": str(worker)} | ({} if path is None else {"path": path})
    return f"{_BASE}/attempts/{quote(attempt, safe='')}/{what}?{urlencode(query)}"
