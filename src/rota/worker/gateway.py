"""The WorkerGateway as the worker sees it: one method an arrow. Source: flows.md; protocol.md, "Gateway".

Every method raises a Problem: Unavailable where there was no proper answer, else what the gateway said.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, TypeVar
from urllib.parse import quote

import msgspec

from rota.protocol.get_job import GetJob, Offer, Offers
from rota.protocol.heartbeat import Heartbeat, Renewed
from rota.protocol.ids import AttemptId
from rota.protocol.job_finished import Finished, JobFinished, JobFinishedReceived
from rota.protocol.problems import Unavailable
from rota.protocol.refuse_job import Refusal, RefuseAccepted, RefuseJob
from rota.protocol.wire import encode, read_answer
from rota.worker.calls import Calls, Reply, unread

T = TypeVar("T")
ANSWER_MARGIN_S = 10.0
"""How much longer than asked for a held getJob may take."""


class ReturnJob(NamedTuple):
    """returnJob, or noJob where `offers` is empty. `retry_after_s`: the Job service errs, come back later."""

    offers: list[Offer]
    retry_after_s: float | None


class Gateway:
    """Behind HTTP, at `url`."""

    def __init__(self, calls: Calls, url: str, timeout_s: float) -> None:
        self.url = url
        self._calls = calls
        self._timeout_s = timeout_s

    async def get_job(self, ask: GetJob) -> ReturnJob:
        """Held for up to `ask.wait_s`. The same `request_id` again gives the same offers."""
        reply = await self._post("get-job", encode(ask), ask.wait_s + ANSWER_MARGIN_S)
        if reply.status == 204:  # noqa: PLR2004  (noJob; protocol.md)
            after = reply.headers.get("Retry-After", "")
            return ReturnJob([], float(after) if after.isdigit() else None)
        return ReturnJob(_read(reply, Offers).jobs, None)

    async def refuse_job(self, refusals: Sequence[Refusal]) -> RefuseAccepted:
        """Given back unstarted."""
        return _read(await self._post("refuse-job", encode(RefuseJob(list(refusals)))), RefuseAccepted)

    async def job_finished(self, finished: Sequence[Finished]) -> JobFinishedReceived:
        """What the answer names as received is durable."""
        return _read(await self._post("job-finished", encode(JobFinished(list(finished)))), JobFinishedReceived)

    async def heartbeat(self, attempts: Sequence[AttemptId], timeout_s: float) -> Renewed:
        """Renews the leases from before this call."""
        return _read(await self._post("heartbeat", encode(Heartbeat(list(attempts))), timeout_s), Renewed)

    async def upload(self, attempt: AttemptId, path: str | None, offset: int, piece: bytes) -> int:
        """Bytes of the log (`path` None) or of an artifact; the new offset. Raises OffsetMismatch with the right."""
        headers = {"Upload-Offset": str(offset), "Content-Type": "application/octet-stream"}
        reply = await self._calls.send("PATCH", self._address(attempt, path), self._timeout_s, piece, headers)
        return _offset(reply)

    async def upload_offset(self, attempt: AttemptId, path: str | None) -> int:
        """How many bytes of it are stored there."""
        return _offset(await self._calls.send("HEAD", self._address(attempt, path), self._timeout_s))

    def input(self, attempt: AttemptId, path: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """An input's bytes, in pieces."""
        return self._calls.stream(f"{self.url}/gateway/v1/attempts/{attempt}/inputs/{quote(path)}", self._timeout_s)

    async def _post(self, message: str, body: bytes, timeout_s: float | None = None) -> Reply:
        return await self._calls.send("POST", f"{self.url}/gateway/v1/{message}", timeout_s or self._timeout_s, body)

    def _address(self, attempt: AttemptId, path: str | None) -> str:
        what = "log" if path is None else f"artifacts/{quote(path)}"
        return f"{self.url}/gateway/v1/attempts/{attempt}/{what}"


def _read(reply: Reply, kind: type[T]) -> T:
    try:
        return read_answer(reply.body, kind)
    except msgspec.DecodeError as error:
        raise Unavailable(unread(error)) from None


def _offset(reply: Reply) -> int:
    text = reply.headers.get("Upload-Offset", "")
    if not text.isdigit():
        raise Unavailable("the answer was not understood: no Upload-Offset")
    return int(text)
