"""/internal/v1: what gateway and registry ask Environments, when they run elsewhere."""

from starlette.responses import Response

from rota.environments.service import EnvironmentsService
from rota.http.routes import ANYBODY, SERVICES, Call, Endpoint, json_response
from rota.protocol.enrol import Enrol, WorkerCredential
from rota.protocol.environment import Caller, Environment
from rota.protocol.ids import WorkerId
from rota.protocol.placement import WorkerFacts
from rota.protocol.wire import Answer, Request


class Recognise(Request, frozen=True):
    """An `Authorization` header, as it came."""

    authorization: str | None


class EnrolWorker(Request, frozen=True):
    """An enrolment that the registry passes on."""

    authorization: str
    worker_id: WorkerId
    enrol: Enrol


class EnrolledWorker(Answer, frozen=True):
    """What became of it."""

    facts: WorkerFacts
    credential: WorkerCredential
    environment: Environment


class RenewWorker(Request, frozen=True):
    """A worker that the registry has recognised wants a fresh credential."""

    caller: Caller


class EnvironmentsInnerHttp:
    """The routes."""

    def __init__(self, environments: EnvironmentsService) -> None:
        self._environments = environments

    def endpoints(self) -> list[Endpoint]:
        """What is served, by whom it may be called."""
        inner, one = "/internal/v1", "/internal/v1/environments/{name}"
        return [
            Endpoint("GET", "/.well-known/jwks.json", self.jwks, "public signing keys (RFC 7517)", ANYBODY),
            Endpoint("POST", f"{inner}/recognise", self.recognise, "who calls", SERVICES, Recognise, Caller),
            Endpoint("POST", f"{inner}/enrol", self.enrol, "enrol", SERVICES, EnrolWorker, EnrolledWorker),
            Endpoint("POST", f"{inner}/renew", self.renew, "renew", SERVICES, RenewWorker, WorkerCredential),
            Endpoint("GET", one, self.environment, "an environment", SERVICES, None, Environment),
        ]

    async def jwks(self, _call: Call) -> Response:
        return json_response(self._environments.jwks(), headers={"Cache-Control": "public, max-age=60"})

    async def recognise(self, call: Call) -> Caller:
        return await self._environments.recognise((await call.body(Recognise)).authorization)

    async def enrol(self, call: Call) -> EnrolledWorker:
        asked = await call.body(EnrolWorker)
        return EnrolledWorker(*await self._environments.enrol(asked.authorization, asked.worker_id, asked.enrol))

    async def renew(self, call: Call) -> WorkerCredential:
        return await self._environments.renew((await call.body(RenewWorker)).caller)

    async def environment(self, call: Call) -> Environment:
        return await self._environments.environment(call.part("name"))
