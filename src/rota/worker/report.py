"""jobFinished: what ended is put together, kept on disk, uploaded where it is large, and told, many in one message.

A line of stations, each taking all that has arrived since it last looked: so a lone end goes out at once, and a
crowd goes together. Source: flows.md, "jobFinished … jobFinishedReceived … status: readyForWork".
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from rota.protocol.ids import AttemptId
from rota.protocol.job_finished import Finished, Reason
from rota.protocol.problems import InvalidRequest, Problem, RateLimited, TooLarge, Unavailable, raised_again
from rota.protocol.refuse_job import Refusal
from rota.worker import finish
from rota.worker.backoff import Backoff
from rota.worker.calls import explain
from rota.worker.deliver import Delivery, complete, needs_upload
from rota.worker.gateway import Gateway
from rota.worker.held import Held, HeldAttempts, Note, Phase
from rota.worker.link import Link
from rota.worker.log import LiveLogs
from rota.worker.options import WorkerOptions
from rota.worker.say import Survived, say
from rota.worker.shepherd.messages import LEASE, MACHINE, Ended
from rota.worker.spool import Spool
from rota.worker.workspace import Workspaces
from rota.world import World

Spawn = Callable[[Coroutine[Any, Any, None]], object]
"""Starts a task whose failure is the worker's."""
READERS_MAX = 4
"""Ends that are put together at the same time where that means reading much."""
INLINE_BYTES_MAX = 1024 * 1024
"""About how much travels inside one message."""
ATTEMPTS_MAX = 1000


class Reporter:
    """The stations. `untold` is set when slots are free of which the registry does not know."""

    def __init__(
        self, gateway: Gateway, held: HeldAttempts, link: Link, spool: Spool, workspaces: Workspaces, logs: LiveLogs,
        world: World, options: WorkerOptions, uploads: asyncio.Semaphore, spawn: Spawn,
    ) -> None:  # fmt: skip
        self.untold = asyncio.Event()
        self.link = link
        self.trouble = Backoff(world, first_s=1, max_s=options.backoff_s_max)
        self.is_in_trouble = False
        self._gateway = gateway
        self._held = held
        self._spool = spool
        self._workspaces = workspaces
        self._logs = logs
        self._world = world
        self._options = options
        self._delivery = Delivery(gateway, world, logs, workspaces, uploads)
        self._reading = asyncio.Semaphore(READERS_MAX)
        self._unspooled: list[Finished] = []
        self._unkept: set[AttemptId] = set()
        self._unsent: list[Finished] = []
        self._untidy: list[AttemptId] = []
        self._dirty = asyncio.Event()
        self._arrived = asyncio.Event()
        self._sendable = asyncio.Event()
        self._spawn = spawn

    @property
    def unreported_bytes(self) -> int:
        """What of this worker's disk waits to be reported."""
        return self._spool.unreported_bytes

    def ended(self, end: Ended) -> None:
        """A job's process is no more. One whose lease ran out is told to nobody; neither is one that nobody wants."""
        attempt = AttemptId(end.attempt_id)
        held = self._held.get(attempt)
        if held is not None and held.phase is Phase.REPORTING:
            return  # told twice
        if held is None or end.reason == LEASE:
            if held is not None:
                say(f"attempt {attempt} was stopped: its lease ended before it could be renewed")
                self._held.release(attempt)
                self.untold.set()
            self.link.forget([attempt])
            self.clean(attempt)
            return
        if end.reason == MACHINE:
            self.give_back(held, end.message or "")
            return
        self.trouble.succeeded()
        held.phase = Phase.REPORTING
        if finish.is_quick(end, held.note):
            self.report(self._finished(end, held.note))
        else:
            self._spawn(self._put_together(end))

    def unstarted(self, attempt: AttemptId, reason: Reason, message: str) -> None:
        """No process was made for it."""
        held = self._held.get(attempt)
        if held is not None:
            held.phase = Phase.REPORTING
            self.report(finish.unstarted(attempt, reason, message, self._world.now()))

    def give_back(self, held: Held, why: str) -> None:
        """Nothing was started, and the machine is at fault: another worker may have it, or this one later."""
        held.phase = Phase.REPORTING
        self.is_in_trouble = True
        self._spawn(self._give_back(held.attempt_id, why))

    def report(self, finished: Finished) -> None:
        """Into the line."""
        self._unspooled.append(finished)
        self._arrived.set()

    def resume(self, spooled: Iterable[Finished]) -> None:
        """Into the line, behind the disk: an earlier agent's."""
        for finished in spooled:
            self._hand_on(finished, self._delivery._replace(is_resumed=True))

    def lose(self, attempts: Iterable[AttemptId], why: str) -> None:
        """They are no longer ours: stop and forget them. Source: guarantees.md, F19, F44."""
        for attempt in attempts:
            held = self._held.get(attempt)
            if held is None:
                continue
            say(f"attempt {attempt} is given up: {why}")
            self._held.release(attempt)
            self._logs.forget(attempt)
            if held.phase is Phase.RUNNING:
                self.link.kill([attempt])  # its folder is removed when the shepherd says that it ended
            elif held.phase is Phase.REPORTING:
                self.clean(attempt)
        self.untold.set()

    def clean(self, attempt: AttemptId) -> None:
        """Remove its folder, soon."""
        if attempt in self._unkept:
            self._unkept.discard(attempt)
            self.link.forget([attempt])
        self._logs.forget(attempt)
        self._untidy.append(attempt)
        self._dirty.set()

    async def tidy(self) -> None:
        """Apart from the stations, for ever: folders and reports that are no longer needed go."""
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            await self.tidy_now()

    async def tidy_now(self) -> None:
        """In a thread: each removal waits for the disk's journal, and an event loop must not."""
        batch, self._untidy = self._untidy, []
        await asyncio.to_thread(_remove, self._workspaces, self._spool, batch)

    async def keep(self) -> None:
        """First station, for ever: onto the disk."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            batch, self._unspooled = self._unspooled, []
            attempts = [finished.attempt_id for finished in batch]
            if await asyncio.to_thread(self._spool.write, batch):
                self.link.forget(attempts)
            else:
                self._unkept.update(attempts)  # the shepherd remembers how they ended until they are received
            for finished in batch:
                self._hand_on(finished, self._delivery)

    async def send(self) -> None:
        """Last station, for ever: jobFinished, until it is received."""
        backoff = Backoff(self._world, max_s=self._options.backoff_s_max)
        while True:
            await self._sendable.wait()
            batch = self._take()
            if not batch:
                self._sendable.clear()
                continue
            try:
                await self._send(batch)
                backoff.succeeded()
            except (InvalidRequest, TooLarge) as problem:
                await self._send_each(batch, problem)
            except Problem as problem:
                if backoff.failures == 0:
                    say(f"{len(batch)} results wait: the gateway does not take them ({explain(problem)})")
                self._unsent = batch + self._unsent
                await backoff.pause(problem)

    async def _give_back(self, attempt: AttemptId, why: str) -> None:
        say(f"attempt {attempt} is given back, nothing was started: {why}")
        try:
            is_taken = attempt in (await self._gateway.refuse_job([Refusal(attempt, f"worker: {why}"[:1000])])).accepted
        except Problem as problem:
            say(f"the refusal was not taken: {explain(problem)}")
            is_taken = False
        if not is_taken:
            self.report(finish.unstarted(attempt, Reason.NOT_STARTED, why, self._world.now()))
            return
        self.link.forget([attempt])
        self._done(attempt)
        self.untold.set()

    async def _put_together(self, end: Ended) -> None:
        attempt = AttemptId(end.attempt_id)
        async with self._reading:
            held = self._held.get(attempt)
            if held is not None:
                self.report(await asyncio.to_thread(self._finished, end, held.note))

    def _finished(self, end: Ended, note: Note) -> Finished:
        with Survived(f"attempt {end.attempt_id} is reported without its files"):
            return finish.finished(end, note, self._workspaces.of(AttemptId(end.attempt_id)), self._options)
        return finish.bare(end)

    def _hand_on(self, finished: Finished, delivery: Delivery) -> None:
        if needs_upload(finished) or self._logs.has_begun(finished.attempt_id):
            self._spawn(self._upload(finished, delivery))
        else:
            self._unsent.append(finished)
            self._sendable.set()

    async def _upload(self, finished: Finished, delivery: Delivery) -> None:
        whole = finish.without_uploads(finished)
        with Survived(f"attempt {finished.attempt_id} is reported without what was to be uploaded"):
            try:
                whole = await complete(finished, delivery)
            except Problem as problem:
                self.lose([finished.attempt_id], f"its files were not taken ({explain(problem)})")
                return
        if whole != finished and self._held.get(whole.attempt_id) is not None:
            await asyncio.to_thread(self._spool.write, [whole])
        self._unsent.append(whole)
        self._sendable.set()

    def _take(self) -> list[Finished]:
        """What goes into the next message; what nobody wants any more falls out."""
        batch: list[Finished] = []
        inline_bytes = taken = 0
        for finished in self._unsent:
            if len(batch) >= ATTEMPTS_MAX or inline_bytes > INLINE_BYTES_MAX:
                break
            taken += 1
            if self._held.get(finished.attempt_id) is not None:
                batch.append(finished)
                inline_bytes += len(finished.log.inline or "")
                inline_bytes += sum(len(artifact.inline or "") for artifact in finished.artifacts)
        self._unsent = self._unsent[taken:]
        return batch

    async def _send(self, batch: list[Finished]) -> None:
        answer = await self._gateway.job_finished(batch)
        sent = {finished.attempt_id: finished for finished in batch}
        for attempt in answer.received:
            if sent.pop(attempt, None) is not None:
                self._done(attempt)
        later: Problem | None = None
        for rejected in answer.rejected:
            problem = raised_again(rejected.problem)
            if isinstance(problem, Unavailable | RateLimited):
                later = problem  # says nothing against the report: it stays in the line
            elif sent.pop(rejected.attempt_id, None) is not None:
                why = rejected.problem.get("detail") or rejected.problem.get("title")
                self.lose([rejected.attempt_id], f"its report was not wanted ({why})")
        self.untold.set()
        if later is not None:
            raise later
        self._unsent += sent.values()  # not answered for

    async def _send_each(self, batch: list[Finished], problem: Problem) -> None:
        """The message as a whole was not acceptable: find the one that spoils it, and tell at least how it ended."""
        for finished in batch:
            try:
                await self._send([finished] if len(batch) > 1 else [finish.reduced(finished, problem.detail)])
            except (InvalidRequest, TooLarge) as own:
                if len(batch) > 1:
                    await self._send_each([finished], own)
                else:
                    self.lose([finished.attempt_id], f"its report was not taken ({explain(own)})")
            except Problem:
                self._unsent.append(finished)

    def _done(self, attempt: AttemptId) -> None:
        self._held.release(attempt)
        self.clean(attempt)


def _remove(workspaces: Workspaces, spool: Spool, attempts: list[AttemptId]) -> None:
    spool.remove(attempts)
    for attempt in attempts:
        with Survived(f"the folder of attempt {attempt} stays until the next start"):
            workspaces.remove(attempt)
