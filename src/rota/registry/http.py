"""/registry/v1: workers send their status, people look at the list. Source: protocol.md, "Registry"."""

from typing import Annotated

from msgspec import Meta

from rota.http.routes import ADMINS, ANYBODY, PEOPLE, SERVICES, WORKERS, Call, Endpoint
from rota.protocol.enrol import Enrol, Enrolled, Renewed
from rota.protocol.ids import AttemptId, WorkerId
from rota.protocol.participants import Environments
from rota.protocol.problems import Unauthenticated
from rota.protocol.status import Acknowledgement, Status, StatusReceived
from rota.protocol.wire import Answer, Request
from rota.protocol.worker import Worker, WorkerList
from rota.registry.service import RegistryService


class AttemptsAsked(Request, frozen=True):
    """The attempts whose acknowledgements the Job service wants to show."""

    attempts: Annotated[list[AttemptId], Meta(max_length=10_000)]


class Acknowledgements(Answer, frozen=True):
    """Those that there are."""

    acknowledgements: list[Acknowledgement]


class RegistryHttp:
    """The routes. `gateway_url` and `registry_url` are told to workers; None: the address that they called."""

    def __init__(
        self,
        registry: RegistryService,
        environments: Environments,
        gateway_url: str | None,
        registry_url: str | None,
    ) -> None:
        self._registry, self._environments = registry, environments
        self._gateway_url, self._registry_url = gateway_url, registry_url

    def endpoints(self) -> list[Endpoint]:
        """What is served, by whom it may be called."""
        workers, one = "/registry/v1/workers", "/registry/v1/workers/{worker_id}"
        status, seen = "/registry/v1/status", "/registry/v1/acknowledgements"
        return [
            Endpoint("POST", workers, self.enrol, "enrol a worker", ANYBODY, Enrol, Enrolled, 201),
            Endpoint(
                "GET",
                workers,
                self.workers,
                "list workers",
                PEOPLE | SERVICES,
                None,
                WorkerList,
                queries={"environment": "a name"},
            ),
            Endpoint("POST", f"{workers}/renew", self.renew, "renew a credential", WORKERS, None, Renewed),
            Endpoint("GET", one, self.worker, "show a worker", PEOPLE | SERVICES, None, Worker),
            Endpoint("POST", f"{one}/drain", self.drain, "drain a worker", ADMINS | SERVICES, None, Worker),
            Endpoint("POST", status, self.status, "status", WORKERS, Status, StatusReceived),
            Endpoint("POST", seen, self.acknowledged, "what was seen", SERVICES, AttemptsAsked, Acknowledgements),
        ]

    async def enrol(self, call: Call) -> Enrolled:
        authorization = call.request.headers.get("authorization")
        if authorization is None:
            raise Unauthenticated
        # Who asks is checked before what they ask: an enrolment token is not told what a body should look like.
        await self._environments.recognise(authorization)
        facts, credential, environment = await self._registry.enrol(authorization, await call.body(Enrol))
        called = str(call.request.base_url).rstrip("/")
        return Enrolled(
            facts.worker_id, facts.environment, credential, self._gateway_url or called, self._registry_url or called,
            environment.heartbeat_s,
        )  # fmt: skip

    async def renew(self, call: Call) -> Renewed:
        return Renewed(await self._environments.renew(call.caller))

    async def status(self, call: Call) -> StatusReceived:
        return await self._registry.status(call.caller, call.incarnation, await call.body(Status))

    async def workers(self, call: Call) -> WorkerList:
        asked = call.query("environment").get("environment")
        own = call.caller.environment
        return WorkerList(await self._registry.workers(own if own is not None else asked))

    async def worker(self, call: Call) -> Worker:
        return await self._registry.worker(WorkerId(call.part("worker_id")), call.caller.environment)

    async def drain(self, call: Call) -> Worker:
        return await self._registry.drain(WorkerId(call.part("worker_id")), call.caller.environment)

    async def acknowledged(self, call: Call) -> Acknowledgements:
        asked = await call.body(AttemptsAsked)
        return Acknowledgements(await self._registry.acknowledgements(asked.attempts))
