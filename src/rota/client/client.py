"""The SDK's core: every call of the user's side of the protocol, awaited. `Client` is its blocking face."""

import io
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal, Self, Unpack

from rota.client.download import AS_IT_IS, download
from rota.client.events import EventCalls, EventStream
from rota.client.follow import LogStream
from rota.client.handle import AsyncJob
from rota.client.jobs import Filters, JobCalls, SpecFields, path_of
from rota.client.places import PlaceCalls
from rota.client.profile import find_endpoint
from rota.client.schedules import AsyncSchedules
from rota.client.transport import Call, NotUnderstood, Transport
from rota.client.unpack import unpack
from rota.client.upkeep import UpkeepCalls
from rota.client.webhooks import WebhookCalls
from rota.protocol.environment import CreatedCredential, Credential, Environment
from rota.protocol.flow import Flow
from rota.protocol.ids import JobId
from rota.protocol.job import Artifact, ArtifactList
from rota.protocol.job_finished import Result
from rota.protocol.problems import NotFound
from rota.protocol.why import Why
from rota.protocol.worker import Worker
from rota.world import World

PATIENCE_S = 30.0
OUTAGE_S = 600.0

FlowFormat = Literal["json", "plantuml", "mermaid"]
FLOW_TYPES: dict[FlowFormat, str] = {
    "json": "application/json",
    "plantuml": "text/vnd.plantuml",
    "mermaid": "text/vnd.mermaid",
}


class AsyncClient:
    """A Rota server, asked with a token.

    Without arguments it is found as the command line finds it: ROTA_SERVER and ROTA_TOKEN, the profile in the config
    file, a server that runs here. One call goes on trying for `patience_s` seconds; waiting for a job and following
    its log outlast an outage of `outage_s` seconds. Raises NoServer. Every call may raise a Problem (the server said
    no), NotReached or NotUnderstood.
    """

    def __init__(
        self,
        server: str | None = None,
        token: str | None = None,
        *,
        profile: str | None = None,
        insecure: bool = False,
        patience_s: float = PATIENCE_S,
        outage_s: float = OUTAGE_S,
        world: World | None = None,
    ) -> None:
        self.endpoint = find_endpoint(server, token, profile=profile, insecure=insecure)
        self._transport = Transport(self.endpoint, patience_s, world)
        self.outage = self._transport.outage
        """Whether a server that answered before is away; its `tell` may be set, to be told."""
        self._jobs = JobCalls(self._transport, outage_s)
        self.undecided = self._jobs.undecided
        """Its `tell` may be set, to be told of a job that is waited for and has ended, but may be tried again."""
        self._places = PlaceCalls(self._transport)
        self.upkeep = UpkeepCalls(self._transport)
        self.schedules = AsyncSchedules(self._transport)
        self.webhooks = WebhookCalls(self._transport)
        self.past = EventCalls(self._transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def submit(self, **spec: Unpack[SpecFields]) -> AsyncJob:
        """Submit one job, by a spec's fields: `command=["make"]` or `script="…"`, and what else protocol.md names.

        Repeated after a broken connection, it is still one job. Raises InvalidRequest naming the fields.
        """
        return AsyncJob(self, await self._jobs.submit(**spec))

    async def submit_many(self, specs: Sequence[Mapping[str, Any]]) -> list[AsyncJob]:
        """Submit up to 10,000 jobs, all or none, in the order given."""
        return [AsyncJob(self, job) for job in await self._jobs.submit_many(specs)]

    async def job(self, job_id: str) -> AsyncJob:
        """One job. Raises NotFound."""
        return AsyncJob(self, await self._jobs.job(job_id))

    async def jobs(self, limit: int | None = None, **filters: Unpack[Filters]) -> AsyncGenerator[AsyncJob]:
        """Jobs, newest first, fetched page by page as they are asked for; at most `limit` of them."""
        async for job in self._jobs.jobs(limit, **filters):
            yield AsyncJob(self, job)

    async def wait(self, job_id: str, timeout_s: float | None = None) -> AsyncJob:
        """The job, once it has ended. Raises TimeoutError after `timeout_s` seconds; the job goes on then."""
        return AsyncJob(self, await self._jobs.wait(job_id, timeout_s))

    async def result(self, job_id: str) -> Result | None:
        """How the job ended; None while it has not, or where it never ran."""
        return (await self._jobs.job(job_id)).result

    async def cancel(self, job_id: str) -> AsyncJob:
        """Stop the job: at once where it waits, within a heartbeat where it runs. Raises Conflict once it has ended."""
        return AsyncJob(self, await self._jobs.cancel(job_id))

    async def retry(self, job_id: str, only: Literal["failed"] | None = None) -> AsyncJob:
        """Run an ended job once more, as a new attempt; of an array every part, or `only` the failed ones.

        Raises Conflict where it has not ended.
        """
        return AsyncJob(self, await self._jobs.retry(job_id, only))

    async def log(self, job_id: str, attempt: int | None = None) -> bytes:
        """What the job has written so far, stdout and stderr in order; of its newest attempt unless one is named."""
        with io.BytesIO() as content:
            await self.save_log(job_id, content, attempt)
            return content.getvalue()

    async def save_log(self, job_id: str, to: BinaryIO, attempt: int | None = None) -> None:
        """The same into an empty file, however long the log is; the file stands at its start then."""
        params = {} if attempt is None else {"attempt": attempt}
        await self._transport.save(Call(method="GET", path=path_of(job_id, "/log"), params=params), to)

    def follow(self, job_id: str, from_attempt: int | None = None) -> LogStream:
        """The log's bytes as they are written, until the job is over: the newest try's, or all from that number on."""
        return LogStream(self._transport, JobId(job_id), self._jobs.outage_s, from_attempt)

    def events(
        self,
        *,
        types: Sequence[str] = (),
        environment: str | None = None,
        job_id: str | None = None,
        after: str = "now",
    ) -> EventStream:
        """What happens, as it happens, without end: CloudEvents of these types or patterns (`dev.rota.job.*`).

        `after` is `now`, `oldest` (all that are kept) or the id of an event. The stream outlasts an outage. It begins
        when it is first read from; `await stream.begin()` fixes the place before.
        """
        return EventStream(self._transport, self._jobs.outage_s, types, environment, job_id, after)

    async def artifacts(self, job_id: str) -> list[Artifact]:
        """What the job brought back, by path."""
        answer = await self._transport.ask(Call(method="GET", path=path_of(job_id, "/artifacts")), ArtifactList)
        return answer.artifacts

    async def download(self, job_id: str, path: str, to: str | Path = ".") -> Path:
        """Fetch one artifact into the folder `to`, under its own last name, and return where it is.

        It is there complete and verified, or not at all. Raises NotFound, DigestMismatch.
        """
        found = [artifact for artifact in await self.artifacts(job_id) if artifact.path == path]
        if not found:
            raise NotFound(f"The job {job_id} has no artifact `{path}`.")
        return await download(self._transport, JobId(job_id), found[0], Path(to), path.rpartition("/")[2])

    async def download_all(self, job_id: str, to: str | Path) -> list[Path]:
        """Fetch all artifacts below the folder `to`, each under its own path, and return where they are.

        Raises UnsafeArchive where the server sends anything but the artifacts that it lists.
        """
        artifacts = await self.artifacts(job_id)
        call = Call(method="GET", path=path_of(job_id, "/artifacts.tar.gz"), headers=AS_IT_IS)
        with tempfile.TemporaryFile() as archive:
            await self._transport.save(call, archive)
            return unpack(archive, artifacts, Path(to))

    async def flow(self, job_id: str) -> Flow:
        """The messages that the job really caused, in order."""
        headers = {"Accept": FLOW_TYPES["json"]}
        return await self._transport.ask(Call(method="GET", path=path_of(job_id, "/flow"), headers=headers), Flow)

    async def why(self, job_id: str) -> Why:
        """What holds the job back now; no reasons where nothing does."""
        return await self._transport.ask(Call(method="GET", path=path_of(job_id, "/why")), Why)

    async def flow_text(self, job_id: str, form: FlowFormat) -> str:
        """The same as a text to draw from: `plantuml`, `mermaid`, or the `json` itself."""
        headers = {"Accept": FLOW_TYPES[form]}
        body = await self._transport.read(Call(method="GET", path=path_of(job_id, "/flow"), headers=headers))
        try:
            return body.decode("utf-8")
        except UnicodeDecodeError:
            raise NotUnderstood(f"{self.endpoint.server} sent a flow that is no text.") from None

    async def has_registry(self) -> bool:
        """Whether workers enrol at this very address; not so where the WorkerRegistry runs apart."""
        return await self._places.has_registry()

    async def workers(self) -> list[Worker]:
        """Workers as the registry knows them, by name."""
        return await self._places.workers()

    async def drain(self, worker_id: str) -> Worker:
        """Ask a worker to finish what it runs, to take no more jobs and to leave."""
        return await self._places.drain(worker_id)

    async def environments(self) -> list[Environment]:
        """Environments, by name."""
        return await self._places.environments()

    async def environment(self, name: str) -> Environment:
        """One environment. Raises NotFound."""
        return await self._places.environment(name)

    async def create_environment(
        self,
        name: str,
        worker_auth: Literal["jwt", "basic"] = "jwt",
        *,
        labels: Mapping[str, str] | None = None,
        heartbeat_s: float | None = None,
        lease_s: float | None = None,
        description: str = "",
        shares: Mapping[str, float] | None = None,
    ) -> Environment:
        """Make a place where workers run. Raises Conflict where there is one of this name."""
        return await self._places.create_environment(
            name, worker_auth, labels, heartbeat_s, lease_s, description, shares
        )

    async def change_shares(self, environment: str, shares: Mapping[str, float]) -> Environment:
        """Replace the weights of an environment's tenants, for what is submitted from now on; others have 1."""
        return await self._places.change_shares(environment, shares)

    async def create_credential(
        self,
        environment: str,
        kind: Literal["enrolment", "submit", "view", "admin"],
        *,
        expires_in_s: float | None = None,
        uses: int | None = None,
        note: str = "",
        tenant: str | None = None,
    ) -> CreatedCredential:
        """A new token; it is shown this once. Without `expires_in_s` and `uses` only `revoke` ends it.

        All who submit for one `tenant` share its turns.
        """
        return await self._places.create_credential(environment, kind, expires_in_s, uses, note, tenant)

    async def credentials(self, environment: str) -> list[Credential]:
        """Credentials that are not revoked, newest first, without their tokens."""
        return await self._places.credentials(environment)

    async def revoke(self, environment: str, credential_id: str) -> None:
        """End a credential at once."""
        await self._places.revoke(environment, credential_id)
