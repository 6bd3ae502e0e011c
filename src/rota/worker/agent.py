"""The agent: takes up what an earlier one left, then asks, reports and beats until it is drained.

Source: architecture.md, "The worker is two processes"; guarantees.md, "Worker identity", F17, F44.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from rota.protocol.ids import AttemptId, JobId
from rota.protocol.problems import LeaseLost, Problem, Unauthenticated
from rota.worker.backoff import Backoff
from rota.worker.calls import explain
from rota.worker.gateway import Gateway
from rota.worker.heartbeat import Heartbeat
from rota.worker.held import Held, HeldAttempts, Note, Phase, stop_margin_s
from rota.worker.link import Link, ShepherdGone
from rota.worker.log import LiveLogs
from rota.worker.loop import Loop, stop_unstarted
from rota.worker.options import WorkerOptions
from rota.worker.presence import Presence, repeat
from rota.worker.registry import Registry
from rota.worker.report import Reporter, Spawn
from rota.worker.say import Survived, say
from rota.worker.shepherd.loop import ENDED_FILE
from rota.worker.shepherd.messages import Ended, Grown, Hello, Pong, bodies, read_events
from rota.worker.spool import Spool
from rota.worker.workspace import Workspaces
from rota.world import World

_NO_JOB = JobId("")
_LOOK_S = 0.1
QUIET_S = 120.0
"""Trouble that was not met for so long is over; the same is then told again."""


@dataclass(frozen=True)
class Neighbours:
    """Who the agent speaks with."""

    gateway: Gateway
    registry: Registry
    link: Link
    heartbeat_s: float


class ShepherdReplaced(Exception):
    """The jobs of the former one are gone. A new incarnation says so to the server: it names them no more."""


class Agent:
    """Composes the worker's parts, and passes on what the shepherd, the registry and signals say."""

    def __init__(
        self, neighbours: Neighbours, spool: Spool, options: WorkerOptions, world: World, spawn: Spawn
    ) -> None:
        gateway, uploads = neighbours.gateway, asyncio.Semaphore(options.uploads_max)
        self._options = options
        self._world = world
        self._spawn = spawn
        self._heartbeat_s = neighbours.heartbeat_s
        self._held = HeldAttempts(options.slots)
        self._link = neighbours.link
        self._workspaces = Workspaces(options.work_dir)
        self._spool = spool
        self._logs = LiveLogs(gateway, world, options.log_flush_s, uploads)
        self._presence = Presence(neighbours.registry, self._held, world, options.status_timeout_s)
        self._reporter = Reporter(
            gateway, self._held, self._link, self._spool, self._workspaces, self._logs, world, options, uploads, spawn
        )
        self._margin_s = stop_margin_s(options.stop_margin_s, neighbours.heartbeat_s)
        self._loop = Loop(
            gateway, self._presence, self._held, self._reporter, self._workspaces, world, options, self._margin_s, spawn
        )
        self._heartbeat = Heartbeat(gateway, self._held, self._link, world, neighbours.heartbeat_s)
        self._heartbeat.cancel, self._heartbeat.lose = self.cancel, self._reporter.lose
        self._heartbeat.on_problem = Trouble(world, "heartbeat")
        self._presence.drain = self.drain
        self._registry_trouble = Trouble(world, "status")
        self._given_up = asyncio.Event()
        self._taken_up: list[Ended] = []  # ends that an earlier agent left, until they are reports

    async def take_up(self) -> list[Ended]:
        """What an earlier agent left is this one's: what runs, what ended, what waits to be reported.

        Leases are renewed from here on, even while the registry is away. Returns the ends that are not yet reports.
        """
        hello = await self._link.connect()
        ended = {end.attempt_id: end for end in (*self._ended_on_disk(), *hello.ended)}
        spooled = self._spool.load()
        if not self._spool.is_sure:  # then the shepherd remembers those, and they are kept anew
            spooled = [report for report in spooled if report.attempt_id not in ended]
        soon = self._world.monotonic() + self._heartbeat_s
        notes = {one.attempt_id: one.note for one in hello.running}
        notes |= {attempt: end.note for attempt, end in ended.items()}
        for attempt, note in notes.items():
            held = Held(AttemptId(attempt), msgspec.msgpack.decode(note, type=Note), soon, Phase.RUNNING)
            self._held.add([held])
        for report in spooled:
            self._held.add([Held(report.attempt_id, Note(_NO_JOB, []), soon, Phase.REPORTING)])
            ended.pop(report.attempt_id, None)
        if spooled:  # the agent before may have been killed between its disk and its word to the shepherd
            self._link.forget([report.attempt_id for report in spooled])
        for attempt in self._workspaces.left():
            if self._held.get(attempt) is None:
                with Survived(f"the folder of attempt {attempt} stays until the next start"):
                    await asyncio.to_thread(self._workspaces.remove, attempt)
        if not self._held.is_empty:
            say(f"taken up from before: {len(hello.running)} jobs that run, {len(ended) + len(spooled)} to report")
        self._reporter.resume(spooled)
        self._spawn(self._hear())
        self._spawn(self._watch())
        self._spawn(self._heartbeat.beat(self._options.first_heartbeat_s, self._margin_s))
        self._taken_up = list(ended.values())
        return self._taken_up

    async def introduce(self) -> None:
        """The first status: names all that this worker still answers for. Raises Unauthenticated."""
        backoff = Backoff(self._world, max_s=self._options.backoff_s_max)
        while True:
            try:
                await self._presence.present()
            except Unauthenticated:
                raise
            except LeaseLost:
                return  # some of it is no longer ours: heartbeats and reports will tell which
            except Problem as problem:
                self._registry_trouble(problem)
                await backoff.pause(problem)
            else:
                return

    async def work(self, ended: Sequence[Ended]) -> None:
        """Until drained, or told twice to stop."""
        for end in ended:
            self._reporter.ended(end)
        self._taken_up = []
        self._spawn(repeat(self._presence, self._heartbeat_s, self._world, self._registry_trouble))
        self._spawn(self._reporter.keep())
        self._spawn(self._reporter.send())
        self._spawn(self._reporter.tidy())
        self._spawn(self._tell_ready())
        self._spawn(self._logs.send())
        looping, giving_up = asyncio.ensure_future(self._loop.run()), asyncio.ensure_future(self._given_up.wait())
        try:
            await asyncio.wait({looping, giving_up}, return_when=asyncio.FIRST_COMPLETED)
            if looping.done():
                looping.result()
        finally:
            looping.cancel()
            giving_up.cancel()

    async def leave(self) -> None:
        """Say `offline`, and let the shepherd go."""
        await self._reporter.tidy_now()
        self._workspaces.remove_spare()
        with contextlib.suppress(TimeoutError, Problem):  # the registry will see that we are gone
            async with asyncio.timeout(self._options.farewell_s):
                await self._presence.offline()
        await self._link.leave()

    def drain(self) -> None:
        """Ask no more, start no more, finish what runs."""
        if not self._loop.draining.is_set():
            say(f"draining: {len(self._held.ids)} jobs are finished first; once more to stop them")
            self._presence.is_draining = True
            self._loop.draining.set()
            self._spawn(self._say_draining())

    def stop(self) -> None:
        """Stop the jobs, report them, and leave even if the report cannot be had."""
        say("stopping the jobs")
        self.cancel(self._held.ids)
        self._spawn(self._give_up_later())

    def cancel(self, attempts: Sequence[AttemptId]) -> None:
        """Somebody wants them stopped."""
        running = stop_unstarted(self._held, attempts)
        if running:
            self._link.stop(running)

    async def _hear(self) -> None:
        """What the shepherd says, for ever."""
        while True:
            try:
                events = await self._link.events()
            except ShepherdGone:
                await self._replace_shepherd()
                continue
            for event in events:
                match event:
                    case Ended():
                        self._reporter.ended(event)
                    case Grown(sizes):
                        for attempt, size_bytes in sizes.items():
                            folder = self._workspaces.of(AttemptId(attempt))
                            self._logs.grown(AttemptId(attempt), folder, size_bytes)
                    case Pong():
                        self._link.answered()
                    case Hello():
                        pass  # said once, at the start

    async def _replace_shepherd(self) -> None:
        """Its jobs cannot be watched any more: the next shepherd ends them, and they are forgotten here."""
        say("the shepherd ended unexpectedly; its jobs are ended and given up")
        hello = await self._link.connect()
        # Only now: what was started meanwhile was told to nobody, and would be held for ever.
        over = {end.attempt_id for end in self._taken_up}
        running = [held.attempt_id for held in self._held.in_phase(Phase.RUNNING) if held.attempt_id not in over]
        self._reporter.lose(running, "the process that watched it ended")
        for attempt in running:
            self._reporter.clean(attempt)
        for end in hello.ended:
            self._reporter.ended(end)
        self._spawn(self._start_over())

    async def _start_over(self) -> None:
        """When all that ended is on disk: what the former shepherd told is known to this process alone until then."""
        while any(not self._spool.has(held.attempt_id) for held in self._held.in_phase(Phase.REPORTING)):
            await self._world.sleep(_LOOK_S)
        raise ShepherdReplaced

    async def _watch(self) -> None:
        """While jobs run, whether the shepherd is there to end them; for ever."""
        while True:
            await self._world.sleep(self._options.shepherd_silent_s / 2)
            if self._held.in_phase(Phase.RUNNING):
                self._link.ping()
            else:
                self._link.answered()

    async def _tell_ready(self) -> None:
        """status: readyForWork, each time that reports were received; for ever."""
        while True:
            await self._reporter.untold.wait()
            self._reporter.untold.clear()
            try:
                await self._presence.ready_for_work()
            except Problem as problem:
                self._registry_trouble(problem)

    async def _say_draining(self) -> None:
        with contextlib.suppress(Problem):  # said again at the next heartbeat
            await self._presence.present()

    async def _give_up_later(self) -> None:
        while any(held.phase is not Phase.REPORTING for held in map(self._held.get, self._held.ids) if held):
            await self._world.sleep(_LOOK_S)
        await self._world.sleep(self._options.farewell_s)
        say("left without reporting everything: it is kept here, and reported at the next start")
        self._given_up.set()

    def _ended_on_disk(self) -> list[Ended]:
        found: list[Ended] = []
        for attempt in self._workspaces.left():
            with contextlib.suppress(OSError, msgspec.DecodeError):  # none, or not whole: then it did not end
                content = bytearray((self._workspaces.of(attempt) / ENDED_FILE).read_bytes())
                found += [event for body in bodies(content) for event in read_events(body) if isinstance(event, Ended)]
        return found


class Trouble:
    """Tells that a neighbour does not answer: once, until the reason is another, or it was over meanwhile."""

    def __init__(self, world: World, what: str) -> None:
        self._world = world
        self._what = what
        self._told = ""
        self._met_at = float("-inf")

    def __call__(self, problem: Problem) -> None:
        present, why = self._world.monotonic(), explain(problem)
        if why != self._told or present - self._met_at > QUIET_S:
            say(f"{self._what} not received: {why}")
        self._told, self._met_at = why, present
