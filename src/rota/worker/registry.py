"""The WorkerRegistry as the worker sees it. Source: flows.md; protocol.md, "Registry".

Every method raises a Problem: Unavailable where there was no proper answer, else what the registry said.
"""

from typing import TypeVar

import msgspec

from rota.protocol.enrol import Enrol, Enrolled, Renewed, WorkerCredential
from rota.protocol.problems import Unavailable
from rota.protocol.status import Status, StatusReceived
from rota.protocol.wire import encode, read_answer, unknown_word
from rota.worker.calls import Calls, NotUnderstood, Reply, unread

T = TypeVar("T")


class Registry:
    """Behind HTTP, at `url`."""

    def __init__(self, calls: Calls, url: str, timeout_s: float) -> None:
        self.url = url
        self._calls = calls
        self._timeout_s = timeout_s

    async def enrol(self, enrol: Enrol) -> Enrolled:
        """Trade the enrolment token, which the session bears, for a credential.

        Raises NotUnderstood where the token was taken, and what came for it cannot be read.
        """
        reply = await self._send("workers", encode(enrol), {200, 201}, self._timeout_s)
        try:
            return read_answer(reply.body, Enrolled)
        except msgspec.DecodeError as error:
            if unknown_word(error) is not None:
                raise NotUnderstood(unread(error)) from None
            raise Unavailable(unread(error)) from None

    async def renew(self) -> WorkerCredential:
        """A fresh credential for the present one."""
        return (await self._post("workers/renew", b"{}", Renewed, self._timeout_s)).credential

    async def status(self, status: Status, timeout_s: float) -> StatusReceived:
        """*status received*. Raises Unavailable also where the answer does not say so in as many words."""
        received = await self._post("status", encode(status), StatusReceived, timeout_s)
        if received.received is not True:
            raise Unavailable("the answer was not *status received*")
        return received

    async def _post(self, path: str, body: bytes, kind: type[T], timeout_s: float) -> T:
        reply = await self._send(path, body, {200} if kind is StatusReceived else {200, 201}, timeout_s)
        try:
            return read_answer(reply.body, kind)
        except msgspec.DecodeError as error:
            raise Unavailable(unread(error)) from None

    async def _send(self, path: str, body: bytes, expected: set[int], timeout_s: float) -> Reply:
        reply = await self._calls.send("POST", f"{self.url}/registry/v1/{path}", timeout_s, body)
        if reply.status not in expected:
            raise Unavailable(f"HTTP {reply.status}")
        return reply
