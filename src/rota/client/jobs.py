"""Jobs: submitted, listed, waited for, cancelled, tried again. Source: protocol.md, "Job service, the user's side"."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any, Literal, TypedDict, Unpack
from urllib.parse import quote

from rota.client.transport import Call, Transport
from rota.protocol import job as protocol
from rota.protocol.ids import JobId
from rota.protocol.problems import InvalidRequest
from rota.protocol.states import ENDED

HELD_S_MAX = 30.0
"""Longest that the server is asked to hold a question for a job's end: one that is silent for longer is away."""
READ_MARGIN_S = 15.0
ANSWER_S = 2.0
"""How long after the end of a wait its answer may still come."""
PAGE = 100


class SpecFields(TypedDict, total=False):
    """A spec's fields, by protocol's names. Source: protocol.md, "Spec"."""

    command: Sequence[str]
    script: str
    name: str
    environment: str
    requires: Mapping[str, str | Sequence[str] | Mapping[str, Any]]
    prefers: Mapping[str, str | Sequence[str] | Mapping[str, Any]]
    resources: Mapping[str, int | float]
    env: Mapping[str, str]
    inputs: Sequence[Mapping[str, Any]]
    artifacts: Sequence[str]
    executor: str
    timeout_s: float
    grace_s: float
    queue_timeout_s: float
    priority: int
    tags: Mapping[str, str]
    lease_policy: Literal["stop", "keep"]
    detach_timeout_s: float
    needs: Sequence[str | Mapping[str, str]]
    on_unmet: Literal["skip", "run", "cancel"]
    concurrency: Mapping[str, Any]
    array: int | str
    matrix: Mapping[str, Sequence[str | int | bool]]
    include: Sequence[Mapping[str, str | int | bool]]
    exclude: Sequence[Mapping[str, str | int | bool]]
    max_parallel: int
    fail_fast: bool
    not_before: str
    deadline: str
    retry: Mapping[str, Any]
    success_exit_codes: Sequence[int | str]
    policy: str


class Filters(TypedDict, total=False):
    """Which jobs a list holds: all that match every filter. `tag` is `KEY:VALUE`.

    `parent` is an array, whose parts are wanted alone; `parts` "false" leaves parts of arrays out.
    """

    state: str
    verdict: str
    environment: str
    name: str
    tag: str
    submitted_after: str
    parent: str
    parts: str
    schedule: str


def path_of(job_id: str, below: str = "") -> str:
    """A job's path. Whatever the id holds, it leads to no other path. Raises InvalidRequest where it can be none."""
    if job_id in {"", ".", ".."}:
        raise InvalidRequest.of("id", "names no job")
    try:
        return f"/api/v1/jobs/{quote(job_id, '')}{below}"
    except UnicodeEncodeError:
        raise InvalidRequest.of("id", "is no valid text") from None


class Undecided:
    """A job that has ended, while the scheduler has not said whether another try follows: `tell` is told of it."""

    def __init__(self) -> None:
        self.tell: Callable[[protocol.Job], None] = lambda _: None


class JobCalls:
    """The calls of `/api/v1/jobs` that answer with jobs."""

    def __init__(self, transport: Transport, outage_s: float) -> None:
        self.transport, self.outage_s = transport, outage_s
        self.undecided = Undecided()

    async def submit(self, **spec: Unpack[SpecFields]) -> protocol.Job:
        """Submit one job. Repeated after a broken connection, it is still one job."""
        return await self.transport.ask(self.submission(dict(spec)), protocol.Job)

    async def submit_many(self, specs: Sequence[Mapping[str, Any]]) -> list[protocol.Job]:
        """Submit up to 10,000 jobs, all or none, in the order given."""
        if not specs:
            return []
        answer = await self.transport.ask(self.submission({"jobs": list(specs)}), protocol.Submitted)
        return answer.jobs

    def submission(self, body: Mapping[str, Any]) -> Call:
        """The request for it, under a key of its own that makes repeats harmless."""
        headers = {"Idempotency-Key": self.transport.world.new_id()}
        return Call(method="POST", path="/api/v1/jobs", body=body, headers=headers)

    async def job(self, job_id: str) -> protocol.Job:
        """One job, with its attempts. Raises NotFound."""
        return await self.transport.ask(Call(method="GET", path=path_of(job_id)), protocol.Job)

    async def jobs(self, limit: int | None = None, **filters: Unpack[Filters]) -> AsyncGenerator[protocol.Job]:
        """Jobs, newest first, page after page; at most `limit` of them."""
        cursor, left = None, limit
        while left is None or left > 0:
            page_size = PAGE if left is None else min(left, protocol.LIST_MAX)
            params = {**filters, "limit": page_size, **({"cursor": cursor} if cursor else {})}
            page = await self.transport.ask(Call(method="GET", path="/api/v1/jobs", params=params), protocol.JobList)
            for job in page.jobs:
                yield job
            left = None if left is None else left - len(page.jobs)
            cursor = page.next_cursor
            if cursor is None:
                return

    async def wait(self, job_id: str, timeout_s: float | None = None) -> protocol.Job:
        """The job, once it has ended. Goes on through an outage of the server.

        Raises TimeoutError after `timeout_s` seconds (the job goes on), NotReached after `outage_s` of outage.
        """
        late = TimeoutError(f"The job {job_id} has not ended within {timeout_s} s. It goes on.")
        deadline = None if timeout_s is None else self.transport.world.monotonic() + timeout_s
        try:
            async with asyncio.timeout(None if timeout_s is None else timeout_s + ANSWER_S):
                job = await self.until_ended(JobId(job_id), deadline)
        except TimeoutError:
            raise late from None
        if job is None:
            raise late
        return job

    async def until_ended(self, job_id: JobId, deadline: float | None) -> protocol.Job | None:
        """The job once it has ended; None where it still goes on at `deadline` (of the world's clock)."""
        world = self.transport.world
        while True:
            left_s = HELD_S_MAX if deadline is None else max(0.0, deadline - world.monotonic())
            job = await self.held(job_id, min(HELD_S_MAX, left_s))
            if job.is_over:
                return job
            if job.state in ENDED:
                self.undecided.tell(job)
            if deadline is not None and world.monotonic() >= deadline:
                return None

    async def held(self, job_id: JobId, held_s: float) -> protocol.Job:
        """The job as soon as it has ended, or as it is when `held_s` seconds are over. Outlasts an outage."""
        call = Call(
            method="GET",
            path=path_of(job_id),
            params={"wait_s": f"{held_s:g}"},
            read_s=held_s + READ_MARGIN_S,
            patience_s=self.outage_s,
        )
        return await self.transport.ask(call, protocol.Job)

    async def cancel(self, job_id: str) -> protocol.Job:
        """Stop the job: at once where it waits, within a heartbeat where it runs. Raises Conflict once it has ended."""
        return await self.transport.ask(Call(method="POST", path=path_of(job_id, "/cancel")), protocol.Job)

    async def retry(self, job_id: str, only: Literal["failed"] | None = None) -> protocol.Job:
        """Run an ended job once more, as a new attempt. Raises Conflict where it has not ended.

        Of an array every part is run, or `only` the failed ones.
        """
        params = {} if only is None else {"only": only}
        call = Call(method="POST", path=path_of(job_id, "/retry"), params=params, repeatable=False)
        return await self.transport.ask(call, protocol.Job)
