"""What people ask of the Job service: submit, look, follow, cancel, retry. Source: protocol.md, "the user's side"."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence

import msgspec
from msgspec import UNSET

from rota.jobs.flow import flow
from rota.jobs.graph import linked, named_ids
from rota.jobs.logs import Followed, LogEnd, LogPiece, LogSource, Ping, Switched
from rota.jobs.service import JobService
from rota.jobs.submit import Submitter, check_specs, new_jobs
from rota.jobs.tries import Begin, Tries, attempt_of
from rota.protocol.environment import Caller, Environment
from rota.protocol.flow import Flow
from rota.protocol.get_job import Arrival
from rota.protocol.ids import AttemptId, JobId
from rota.protocol.job import Artifact, Attempt, Job
from rota.protocol.participants import Environments, Fleet
from rota.protocol.problems import Conflict, Forbidden, InvalidRequest, NotFound, OffsetMismatch
from rota.protocol.spec import ENVIRONMENT, Spec
from rota.protocol.states import ENDED, HELD, AttemptState, Verdict
from rota.protocol.wire import parse_timestamp, timestamp
from rota.storage.stores.blobs import BlobStore
from rota.storage.stores.jobs import JobFilter, JobStore, Output, Repeatable
from rota.world import World

PING_EVERY_S = 15.0
VERDICT_S = 2.0
"""Within so long of an end its verdict is there, unless the scheduler is away."""


class Desk:
    """Every method knows who asks: what is foreign is as unknown as what does not exist."""

    def __init__(
        self,
        jobs: JobService,
        store: JobStore,
        blobs: BlobStore,
        environments: Environments,
        fleet: Fleet,
        world: World,
    ) -> None:
        self._jobs, self._store, self._blobs = jobs, store, blobs
        self._environments, self._fleet, self._world = environments, fleet, world

    async def submit(
        self, caller: Caller, specs: Sequence[Spec], key: str | None, body: bytes, *, many: bool
    ) -> list[Job]:
        """All or none, on disk when it returns. Raises InvalidRequest (`jobs[3].command`), Forbidden, Conflict."""
        default = caller.environment or ENVIRONMENT
        fields = [f"jobs[{index}]." if many else "" for index in range(len(specs))]
        shares = {}
        for spec, field in zip(specs, fields, strict=True):
            place = await self._environment(caller, spec.environment or default, f"{field}environment")
            shares[place.name] = place.shares
            self._jobs.policies.check(spec.policy, f"{field}policy")
        check_specs(specs, fields)
        by = Submitter(str(caller.credential_id), default, caller.tenant or "")
        ids = [JobId(self._world.new_id()) for _ in specs]
        named = named_ids(specs)
        known = await self._store.known(named) if named else {}
        whole = linked(specs, ids, fields, known, caller.environment)
        made = new_jobs(ids, whole, fields, by, shares, self._world, self._jobs.queue_clock)
        repeatable = None if key is None else Repeatable(by.submitted_by, key, hashlib.sha256(body).hexdigest())
        submission = await self._store.submit(made, repeatable)
        if not submission.repeated:
            await self._jobs.queues.learn({id(job.key): job.key for job in made}.values())
            counts: dict[int, Arrival] = {}
            waiting = set(submission.waiting)
            if waiting:
                self._jobs.porter.look()
            for job in made:
                if job.id in waiting:
                    continue
                before = counts.get(id(job.key))
                counts[id(job.key)] = Arrival(job.key, 1 if before is None else before.count + 1)
            self._jobs.arrived.add(counts.values())
            self._jobs.note([], submission.outcomes)
        return await self._store.jobs_by_id(submission.job_ids)

    async def job(self, caller: Caller, job: JobId) -> Job:
        """One job, its spec whole. Raises NotFound."""
        found = await self._store.job(job)
        if found is None or caller.environment not in {None, found.environment}:
            raise NotFound("There is no such job.")
        return found

    async def ended(self, caller: Caller, job: JobId, wait_s: float) -> Job:
        """The job as soon as it is over and decided, or as it is when `wait_s` are over."""
        until_s = self._world.monotonic() + wait_s
        with self._jobs.changes.of(job) as changed:
            while True:
                changed.clear()
                found = await self.job(caller, job)
                left_s = until_s - self._world.monotonic()
                is_decided = found.is_over and found.verdict is not None
                if is_decided or left_s <= 0 or self._jobs.changes.is_closed:
                    return found
                try:
                    # The verdict comes right behind the end. While the scheduler is away nobody waits for it, but
                    # where another try may follow.
                    await asyncio.wait_for(changed.wait(), min(left_s, VERDICT_S) if found.is_over else left_s)
                except TimeoutError:
                    return await self.job(caller, job)

    async def jobs(self, caller: Caller, wanted: JobFilter) -> list[Job]:
        """Newest first. Raises Forbidden for another environment than the caller's."""
        if caller.environment is not None:
            if wanted.environment not in {None, caller.environment}:
                raise Forbidden(f"This credential is for the environment `{caller.environment}` alone.")
            wanted = msgspec.structs.replace(wanted, environment=caller.environment)
        return await self._store.jobs(wanted)

    async def cancel(self, caller: Caller, job: JobId) -> Job:
        """Stop it: at once where no worker holds it, else with the worker's next heartbeat. Raises Conflict."""
        found = await self.job(caller, job)
        outcomes = [await self._store.cancel(job)] if found.parts is UNSET else await self._store.cancel_parts(job)
        if outcomes[0].problem is not None:
            raise outcomes[0].problem
        self._jobs.note([], outcomes)
        return await self.job(caller, job)

    async def retry(self, caller: Caller, job: JobId, *, only_failed: bool = False) -> Job:
        """Run it once more; of an array all its parts, or those that failed.

        Raises Conflict where it has not ended, or its environment is retired.
        """
        found = await self.job(caller, job)
        try:
            await self._environments.environment(found.environment)
        except NotFound:
            raise Conflict(f"Its environment `{found.environment}` is retired; no worker can run it.") from None
        if found.spec.deadline is not None and parse_timestamp(found.spec.deadline) <= self._world.now():
            raise Conflict("Its deadline has passed; submit it anew with another one.")
        expires_at = self._jobs.queue_clock.in_s(found.spec.queue_timeout_s)
        at = timestamp(self._world.now())
        if found.parts is not UNSET:
            outcomes = await self._store.retry_parts(job, expires_at, at, only_failed=only_failed)
        elif only_failed and found.verdict is not Verdict.FAILED:
            raise Conflict("The job has not failed; it is not run again.")
        else:
            outcomes = await self._store.retry(job, expires_at, at)
        if outcomes[0].problem is not None:
            raise outcomes[0].problem
        self._jobs.note([], outcomes)
        return await self.job(caller, job)

    async def log(self, caller: Caller, job: JobId, number: int | None) -> LogSource:
        """The log of that try, or of the newest. Raises NotFound."""
        source = await self._source(attempt_of(await self.job(caller, job), number))
        await source.hold()
        return source

    async def check_resumable(self, caller: Caller, job: JobId, begin: Begin) -> None:
        """Raises NotFound; OffsetMismatch where the log has ended before the offset, which therefore is another's."""
        found, offset = await self.job(caller, job), begin.offset
        attempt = attempt_of(found, begin.number) if begin.first is None else Tries(found, begin).present(found)
        if attempt is None or attempt.state in HELD:
            return
        size_bytes = (await self._source(attempt)).size_bytes
        if offset > size_bytes:
            raise OffsetMismatch(f"The log has ended with {size_bytes} bytes; {offset} is behind them.", size_bytes)

    async def follow(self, caller: Caller, job: JobId, begin: Begin) -> AsyncIterator[Followed]:
        """The log from where it is to begin, live, until the job (or the one try) is over; the end comes last."""
        current, offset = AttemptId(""), begin.offset
        said: str | None = None
        with self._jobs.changes.of(job) as changed:
            tries = Tries(await self.job(caller, job), begin)
            while True:
                changed.clear()
                found = await self.job(caller, job)
                attempt = tries.present(found)
                if attempt is not None and attempt.attempt_id != current:
                    offset = tries.offset(attempt)
                    yield Switched(attempt.number, offset)
                    current = attempt.attempt_id
                source = await self._source(attempt)
                async for piece in source.read(offset, source.size_bytes):
                    offset += len(piece)
                    yield LogPiece(offset, piece)
                if tries.go_on(found):
                    continue
                if tries.is_end(found):
                    yield LogEnd(found.state, found.verdict, found.result)
                    return
                if self._jobs.changes.is_closed:
                    return  # without an end: the follower asks again, of who comes after
                waits = tries.waits(found)
                is_new = waits is not None and waits.message != said
                if waits is not None and is_new and found.state not in ENDED:
                    yield waits
                    said, is_new = waits.message, False
                try:
                    await asyncio.wait_for(changed.wait(), VERDICT_S if is_new else PING_EVERY_S)
                except TimeoutError:
                    yield waits if waits is not None and is_new else Ping()
                    said = said if waits is None else waits.message

    async def artifacts(self, caller: Caller, job: JobId) -> tuple[AttemptId | None, list[Artifact]]:
        """Of the newest try that ended with a result. Raises NotFound."""
        found = await self.job(caller, job)
        for attempt in reversed(found.attempts):
            if attempt.state in {AttemptState.FINISHED, AttemptState.CANCELLED}:
                return attempt.attempt_id, await self._store.artifacts(attempt.attempt_id)
        return None, []

    async def artifact(self, caller: Caller, job: JobId, path: str) -> tuple[Artifact, LogSource]:
        """One artifact and its bytes. Raises NotFound."""
        attempt, artifacts = await self.artifacts(caller, job)
        for artifact in artifacts:
            if artifact.path == path and attempt is not None:
                source = await self.bytes_of(attempt, await self._store.output(attempt, path), path)
                await source.hold()
                return artifact, source
        raise NotFound("The job has no such artifact.")

    async def all_artifacts(self, caller: Caller, job: JobId) -> list[tuple[Artifact, LogSource]]:
        """Each with its bytes. Raises NotFound."""
        attempt, artifacts = await self.artifacts(caller, job)
        if attempt is None:
            return []
        return [
            (one, await self.bytes_of(attempt, await self._store.output(attempt, one.path), one.path))
            for one in artifacts
        ]

    async def flow(self, caller: Caller, job: JobId) -> Flow:
        """The messages that it really caused. Raises NotFound; Unavailable where the registry cannot be asked."""
        found = await self.job(caller, job)
        traces, decided_at = await self._store.traces(job)
        seen = await self._fleet.acknowledgements([traced.attempt_id for traced in traces]) if traces else []
        decided = None if decided_at is None or found.verdict is None else (decided_at, found.verdict)
        holders = {attempt.attempt_id: attempt.worker_id for attempt in found.attempts}
        theirs = {one.attempt_id: one for one in seen if one.worker_id == holders.get(one.attempt_id)}
        return flow(traces, theirs, decided)

    async def bytes_of(self, attempt: AttemptId, output: Output | None, path: str) -> LogSource:
        """The bytes of an output that is recorded; none where it is not. Raises Damaged where they are not there."""
        if output is None:
            return LogSource(0, self._blobs, attempt, path, b"")
        source = LogSource(output.size_bytes, self._blobs, attempt, path, output.content, output.sha256)
        await source.check()
        return source

    async def _source(self, attempt: Attempt | None) -> LogSource:
        if attempt is None:
            return LogSource(0, self._blobs, AttemptId(""), "", b"")
        if attempt.state in {AttemptState.FINISHED, AttemptState.CANCELLED}:
            return await self.bytes_of(attempt.attempt_id, await self._store.output(attempt.attempt_id, ""), "")
        return LogSource(await self._blobs.size(attempt.attempt_id, ""), self._blobs, attempt.attempt_id, "", None)

    async def _environment(self, caller: Caller, name: str, field: str) -> Environment:
        if caller.environment not in {None, name}:
            raise Forbidden(f"This credential is for the environment `{caller.environment}` alone.")
        try:
            return await self._environments.environment(name)
        except NotFound:
            raise InvalidRequest.of(field, f"there is no environment `{name}`") from None
