"""What stands in for HTTP: a worker's calls, and the doors of gateway and registry that answer them.

Bodies are the real JSON, read and written by the real code on both sides; paths are the protocol's.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Self

from rota.gateway.service import GatewayService
from rota.protocol.enrol import Renewed as NewCredential
from rota.protocol.environment import Caller, CallerKind
from rota.protocol.get_job import GetJob, Offers
from rota.protocol.heartbeat import Heartbeat, Renewed
from rota.protocol.ids import AttemptId, CredentialId, Incarnation
from rota.protocol.job_finished import JobFinished, JobFinishedReceived
from rota.protocol.participants import Environments
from rota.protocol.placement import WorkerFacts
from rota.protocol.problems import Conflict, NotFound, Unavailable
from rota.protocol.refuse_job import RefuseJob
from rota.protocol.status import Status
from rota.protocol.wire import encode, read_answer, read_request
from rota.registry.service import RegistryService
from rota.worker.calls import Calls, Reply
from simulation.network import Network
from simulation.process import Process
from simulation.watch import Watch

NAMES = {
    "get-job": "getJob",
    "refuse-job": "refuse job",
    "job-finished": "jobFinished",
    "heartbeat": "heartbeat",
    "status": "status",
    "log": "upload",
    "artifacts": "upload",
    "inputs": "input",
    "renew": "renew",
}


@dataclass(frozen=True)
class Called:
    """One call, as it reaches a door. `cut`: after so many bytes the connection breaks.

    Where there are no credentials (`authorization` None) the door is told who calls.
    """

    caller: Caller
    authorization: str | None
    incarnation: Incarnation
    method: str
    path: tuple[str, ...]
    headers: Mapping[str, str]
    body: bytes
    cut: int | None = None

    async def stream(self) -> AsyncIterator[bytes]:
        """The body in pieces, as far as it comes."""
        end = len(self.body) if self.cut is None else self.cut
        half = end // 2
        for piece in (self.body[:half], self.body[half:end]):
            if piece:
                yield piece
        if self.cut is not None:
            raise Unavailable("the sender broke off")


class SimulatedCalls(Calls):
    """A worker's calls over the simulated network."""

    def __init__(
        self, process: Process, network: Network, facts: WorkerFacts, incarnation: Incarnation, watch: Watch
    ) -> None:
        super().__init__(incarnation)
        self._process, self._network, self._watch = process, network, watch
        self._caller = Caller(CallerKind.WORKER, CredentialId(facts.name), facts.environment, facts)
        self._incarnation = incarnation

    async def __aenter__(self) -> Self:
        return self

    async def _send_once(
        self, method: str, url: str, timeout_s: float, body: bytes, headers: Mapping[str, str]
    ) -> Reply:
        address, *path = url.removeprefix("sim://").split("/")
        what = path[-1] if path[2] != "attempts" else path[4]
        cut = self._network.cut(len(body)) if method == "PATCH" else None
        authorization = self.authorization()
        called = Called(self._caller, authorization, self._incarnation, method, tuple(path), headers, body, cut)
        sent_at = self._process.loop.time()
        if what == "renew":
            self._watch.renewal(self._process.machine, is_answered=False)
        told = f"{method} {path[3]} {headers} {len(body)} bytes" if path[2] == "attempts" else body
        try:
            reply: Reply = await self._network.ask(
                self._process, address, NAMES[what], lambda door: door.answer(called), timeout_s, told
            )
        except Conflict:
            if what == "status":
                self._watch.shut_out.add(self._process.machine)
            raise
        self._notice(what, sent_at, body, reply)
        return reply

    @contextlib.asynccontextmanager
    async def stream(self, url: str, timeout_s: float) -> AsyncIterator[AsyncIterator[bytes]]:
        reply = await self.send("GET", url, timeout_s)
        yield _pieces(reply.body)

    def _notice(self, what: str, sent_at: float, body: bytes, reply: Reply) -> None:
        """The effects that invariants speak of: what this worker was really answered."""
        machine = self._process.machine
        if what == "status":
            self._watch.let_in(machine)
            self._watch.status_received(machine, sent_at, read_answer(body, Status))
        elif what == "renew":
            self._watch.renewal(machine, is_answered=True)
        elif what == "job-finished":
            self._watch.finish_answered(machine, read_answer(reply.body, JobFinishedReceived))
        elif what == "heartbeat":
            beating = read_answer(body, Heartbeat).attempts
            self._watch.heartbeat_answered(sent_at, beating, read_answer(reply.body, Renewed))


class GatewayDoor:
    """`/gateway/v1`. Source: rota/gateway/http.py."""

    def __init__(self, gateway: GatewayService, environments: Environments) -> None:
        self._gateway, self._environments = gateway, environments

    async def answer(self, call: Called) -> Reply:
        """One call."""
        call = await _recognised(call, self._environments)
        if call.path[2] == "attempts":
            return await self._bytes(call, AttemptId(call.path[3]), call.path[4], "/".join(call.path[5:]) or None)
        match call.path[2]:
            case "get-job":
                return await self._get_job(call)
            case "refuse-job":
                refused = read_request(call.body, RefuseJob).attempts
                return _ok(await self._gateway.refuse_job(call.caller, refused))
            case "job-finished":
                ended = read_request(call.body, JobFinished).attempts
                return _ok(await self._gateway.job_finished(call.caller, ended))
            case "heartbeat":
                beating = read_request(call.body, Heartbeat).attempts
                return _ok(await self._gateway.heartbeat(call.caller, beating))
        raise NotFound(f"There is no {call.path}.")

    async def _get_job(self, call: Called) -> Reply:
        try:
            offers = await self._gateway.get_job(call.caller, call.incarnation, read_request(call.body, GetJob))
        except Unavailable as problem:
            return Reply(204, {"Retry-After": str(problem.retry_after_s), "Rota-Degraded": "job"}, b"")
        return _ok(Offers(offers)) if offers else Reply(204, {}, b"")

    async def _bytes(self, call: Called, attempt: AttemptId, what: str, path: str | None) -> Reply:
        if what == "inputs":
            content = await self._gateway.input(call.caller, attempt, path or "")
            return Reply(200, {}, b"".join([piece async for piece in content.read(0, content.size_bytes)]))
        if call.method == "HEAD":
            stored = await self._gateway.upload_offset(call.caller, attempt, path)
        else:
            offset = int(call.headers["Upload-Offset"])
            stored = await self._gateway.upload(call.caller, attempt, path, offset, call.stream())
        return Reply(204, {"Upload-Offset": str(stored)}, b"")


class RegistryDoor:
    """`/registry/v1/status` and `workers/renew`. Source: rota/registry/http.py."""

    def __init__(self, registry: RegistryService, environments: Environments) -> None:
        self._registry, self._environments = registry, environments

    async def answer(self, call: Called) -> Reply:
        """One call."""
        call = await _recognised(call, self._environments)
        if call.path[-1] == "renew":
            return _ok(NewCredential(await self._environments.renew(call.caller)))
        return _ok(await self._registry.status(call.caller, call.incarnation, read_request(call.body, Status)))


async def _recognised(call: Called, environments: Environments) -> Called:
    if call.authorization is None:
        return call
    return replace(call, caller=await environments.recognise(call.authorization))


def _ok(answer: object) -> Reply:
    return Reply(200, {}, encode(answer))


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    yield body
