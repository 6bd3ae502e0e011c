"""The diagram from top to bottom: getJob, status: Working, execute, and again. Source: flows.md.

Above all: nothing is started unless the registry acknowledged `working` for it, in time. Source: guarantees.md, G3.
"""

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from rota.protocol.get_job import WAIT_S_MAX, GetJob, Offer
from rota.protocol.ids import AttemptId
from rota.protocol.job_finished import Reason
from rota.protocol.problems import Problem, Unavailable
from rota.protocol.refuse_job import REGISTRY_REASON, Refusal
from rota.worker.attempt import start_command
from rota.worker.backoff import TRANSIENT, Backoff
from rota.worker.calls import explain
from rota.worker.gateway import Gateway
from rota.worker.held import Held, HeldAttempts, Phase, lease_end
from rota.worker.options import WorkerOptions
from rota.worker.presence import Presence
from rota.worker.report import Reporter, Spawn
from rota.worker.room import LOOK_S, Room
from rota.worker.say import say
from rota.worker.shepherd.messages import Start
from rota.worker.workspace import NotPrepared, Workspaces, put_inputs
from rota.world import World

T = TypeVar("T")
REFUSE_TRIES_MAX = 3
SPOOL_LOOK_S = 1.0
LINGER_S = 0.005
"""Where more jobs wait than slots were free, so long for more slots: short jobs then share their messages."""
AT_ONCE_S = 0.05
"""A noJob that comes sooner was not held by the gateway: then ask more slowly."""


class Loop:
    """One worker's asking. `draining` set: ask no more, start no more."""

    def __init__(
        self, gateway: Gateway, presence: Presence, held: HeldAttempts, reporter: Reporter, workspaces: Workspaces,
        world: World, options: WorkerOptions, margin_s: float, spawn: Spawn,
    ) -> None:  # fmt: skip
        self.draining = asyncio.Event()
        self._gateway = gateway
        self._presence = presence
        self._held = held
        self._reporter = reporter
        self._workspaces = workspaces
        self._world = world
        self._options = options
        self._margin_s = margin_s
        self._asking = Backoff(world, max_s=options.backoff_s_max)
        self._registering = Backoff(world, first_s=1, max_s=options.backoff_s_max)
        self._spawn = spawn
        self._is_crowded = False
        self._room = Room(options.work_dir, options.disk_free_bytes_min)
        self._is_spool_full = False

    async def run(self) -> None:
        """Until drained: nothing is asked for, nothing runs, nothing waits to be reported."""
        while not self.draining.is_set():
            if await self._has_room():
                sent_at, offers = await self._get_job()
                if offers and not self._room.is_there():  # it was filled while the question was held
                    await self._refuse(offers, "the worker's disk is full")
                elif offers and await self._is_acknowledged(offers, sent_at):
                    await self._execute(offers, sent_at)
        while not self._held.is_empty:
            self._held.changed.clear()
            await self._held.changed.wait()

    async def _has_room(self) -> bool:
        """Whether a slot is free, waiting for one; and whether the disk is."""
        if self._held.slots_to_ask_for == 0:
            self._held.changed.clear()
            await self._unless_draining(self._held.changed.wait())
            return False
        if not self._room.is_there():
            await self._unless_draining(self._world.sleep(LOOK_S))
            return False
        if self._reporter.unreported_bytes >= self._options.spool_size_bytes_max:
            if not self._is_spool_full:
                say("too much waits to be reported: no job is asked for until some of it was received")
            self._is_spool_full = True
            await self._unless_draining(self._world.sleep(SPOOL_LOOK_S))
            return False
        self._is_spool_full = False
        if self._reporter.is_in_trouble:
            self._reporter.is_in_trouble = False
            await self._unless_draining(self._reporter.trouble.pause())
            return False
        if self._is_crowded:
            await self._unless_draining(self._linger())
        return True

    async def _linger(self) -> None:
        """Until all slots are free, or `LINGER_S` are over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                while self._held.slots_to_ask_for < self._options.slots:
                    self._held.changed.clear()
                    await self._held.changed.wait()

    async def _get_job(self) -> tuple[float, list[Offer]]:
        """GetJob → returnJob | noJob. A question whose answer was lost is repeated under the same `request_id`."""
        slots = self._held.slots_to_ask_for
        ask = GetJob(slots, min(self._options.wait_s, WAIT_S_MAX), self._world.new_id())
        while not self.draining.is_set():
            sent_at = self._world.monotonic()
            try:
                returned = await self._unless_draining(self._gateway.get_job(ask))
            except Problem as problem:
                if self._asking.failures == 0:
                    say(f"no jobs for now: the gateway does not answer as it should ({explain(problem)})")
                await self._unless_draining(self._asking.pause(problem))
                if not isinstance(problem, TRANSIENT):
                    break  # it was an answer: the next question is a new one
                continue
            if returned is None:
                break
            self._is_crowded = len(returned.offers) >= slots
            await self._after_answer(sent_at, returned.retry_after_s, is_empty=not returned.offers)
            return sent_at, [offer for offer in returned.offers if self._held.get(offer.attempt_id) is None]
        return 0.0, []

    async def _after_answer(self, sent_at: float, retry_after_s: float | None, *, is_empty: bool) -> None:
        """A held noJob is followed by the next question at once; one that was not held, or has Retry-After, is not."""
        if retry_after_s is not None:
            pause = self._asking.pause(Unavailable("the Job service does not answer", max(1, int(retry_after_s))))
            await self._unless_draining(pause)
        elif is_empty and self._world.monotonic() - sent_at < AT_ONCE_S:
            await self._unless_draining(self._asking.pause())
        else:
            self._asking.succeeded()

    async def _is_acknowledged(self, offers: Sequence[Offer], sent_at: float) -> bool:
        """Send status: Working; true where status received came in time. Else all are refused, and none is executed."""
        until = min(self._deadline(offer, sent_at) for offer in offers)
        try:
            if self._world.monotonic() >= until:
                raise Unavailable("the lease ended before the registry could be asked")
            await self._presence.working([offer.attempt_id for offer in offers], until)
            if self._world.monotonic() >= until:
                raise Unavailable("the acknowledgement came after the lease had ended")
        except Problem as problem:
            reason = f"{REGISTRY_REASON} unavailable: {explain(problem)}"
            say(f"{len(offers)} jobs refused, nothing started: {reason}")
            await self._refuse(offers, reason)
            await self._unless_draining(self._registering.pause(problem))
            return False
        self._registering.succeeded()
        if self.draining.is_set():
            await self._refuse(offers, "the worker is leaving")
            return False
        return True

    async def _refuse(self, offers: Sequence[Offer], reason: str) -> None:
        """Refuse job → refuse accepted; best effort, since the lease ends by itself."""
        backoff = Backoff(self._world)
        refusals = [Refusal(offer.attempt_id, reason[:1000]) for offer in offers]
        for _ in range(REFUSE_TRIES_MAX):
            try:
                await self._gateway.refuse_job(refusals)
            except TRANSIENT as problem:
                await backoff.pause(problem)
            except Problem as problem:
                say(f"the refusal was not taken: {explain(problem)}")
                return
            else:
                return

    async def _execute(self, offers: Sequence[Offer], sent_at: float) -> None:
        """Start each; where inputs must come first, apart from the others."""
        held = [Held.of(offer, self._deadline(offer, sent_at)) for offer in offers]
        self._held.add(held)
        commands = await asyncio.to_thread(self._prepare_all, offers, held)
        for offer, one, command in zip(offers, held, commands, strict=True):
            if isinstance(command, Start) and offer.inputs:
                self._spawn(self._fetch_and_start(offer, one, command))
            else:
                self._start(one, command)

    def _prepare_all(self, offers: Sequence[Offer], held: Sequence[Held]) -> list[Start | NotPrepared]:
        """Folders and commands. Runs in a thread: making a folder waits for the disk's journal."""
        prepared: list[Start | NotPrepared] = []
        for offer, one in zip(offers, held, strict=True):
            try:
                folder = self._workspaces.make(offer.attempt_id)
                prepared.append(start_command(offer, one, folder, self._options))
            except NotPrepared as error:
                prepared.append(error)
        return prepared

    def _start(self, held: Held, command: Start | NotPrepared) -> None:
        if self._held.get(held.attempt_id) is not held:
            self._reporter.clean(held.attempt_id)
        elif held.is_cancelled:
            self._reporter.unstarted(held.attempt_id, Reason.CANCELLED, "Cancelled before it was started.")
        elif isinstance(command, NotPrepared) and command.is_of_machine:
            self._reporter.give_back(held, str(command))
        elif isinstance(command, NotPrepared):
            self._reporter.unstarted(held.attempt_id, Reason.NOT_STARTED, str(command))
        else:
            held.phase = Phase.RUNNING
            self._reporter.link.say(msgspec.structs.replace(command, deadline=held.kill_at))

    async def _fetch_and_start(self, offer: Offer, held: Held, command: Start) -> None:
        try:
            await self._put_inputs(offer, Path(command.folder))
        except NotPrepared as error:
            self._start(held, error)
        except Problem as problem:
            self._start(held, NotPrepared(f"its inputs could not be had: {explain(problem)}"))
        else:
            self._start(held, command)

    async def _put_inputs(self, offer: Offer, folder: Path) -> None:
        """Again and again while the gateway is away and the attempt is ours."""
        backoff = Backoff(self._world)
        held = self._held.get(offer.attempt_id)
        while held is not None and not held.is_cancelled and self._held.get(offer.attempt_id) is held:
            try:
                await put_inputs(folder, offer.inputs, lambda path: self._gateway.input(offer.attempt_id, path))
            except TRANSIENT as problem:
                await backoff.pause(problem)
            else:
                return

    def _deadline(self, offer: Offer, sent_at: float) -> float:
        return lease_end(sent_at, offer.lease_s, self._margin_s)

    async def _unless_draining(self, what: Coroutine[Any, Any, T]) -> T | None:
        """Its result; None, and an end to it, when the worker is told to drain."""
        doing = asyncio.ensure_future(what)
        drained = asyncio.ensure_future(self.draining.wait())
        try:
            await asyncio.wait({doing, drained}, return_when=asyncio.FIRST_COMPLETED)
            return doing.result() if doing.done() else None
        finally:
            for task in (doing, drained):
                task.cancel()


def stop_unstarted(held: HeldAttempts, attempts: Sequence[AttemptId]) -> list[AttemptId]:
    """Mark as cancelled what is still being prepared; returns those that run and must be stopped."""
    running: list[AttemptId] = []
    for attempt in attempts:
        one = held.get(attempt)
        if one is not None and one.phase is Phase.PREPARING:
            one.is_cancelled = True
        elif one is not None and one.phase is Phase.RUNNING:
            running.append(attempt)
    return running
