"""The simulated shepherd: speaks the real one's messages, keeps its own deadline for each job, outlives the agent.

Source: rota/worker/shepherd/loop.py and herd.py, whose order of steps it follows.
"""

import asyncio
import random
from collections.abc import Iterable

from rota.worker.link import Link, ShepherdGone
from rota.worker.shepherd.loop import ENDED_FILE
from rota.worker.shepherd.messages import (
    LEASE,
    MACHINE,
    Command,
    Ended,
    Event,
    Extend,
    Forget,
    Grown,
    Hello,
    Kill,
    Leave,
    Running,
    Start,
    Stop,
    frame,
)
from simulation.disk import Folder
from simulation.driver import Driver
from simulation.execution import Execution
from simulation.process import Clock, Process
from simulation.watch import Watch

WAKES_S = 1.0
"""A shepherd that was frozen with its machine looks at its clock so soon after the thaw."""
OUT_OF_ROOM = 74
"""How a simulated job exits that cannot write what it made (sysexits.h: EX_IOERR)."""
SOCKET_S = 0.0003
"""What is said takes so long to be heard."""
DEATH_S = 0.03
"""A killed tree takes up to so long to be gone."""


class SimulatedLink(Link):
    """The agent's side. What it says of Rota's own is the real link's; only the socket is another."""

    def __init__(self, process: Process, machine: "Shepherds") -> None:
        self._process, self._machine = process, machine
        self._pid = 0  # of no process: it is asked for no sign of life
        self._unsent: list[Command] = []
        self._heard: list[Event] = []
        self._arrived = asyncio.Event()
        self._shepherd: Shepherd | None = None

    async def connect(self) -> Hello:
        self._heard.clear()
        await self._process.world.sleep(SOCKET_S)
        self._shepherd = self._machine.reach()
        self._shepherd.welcome(self)
        [hello] = await self.events()
        if not isinstance(hello, Hello):
            raise ShepherdGone("no Hello")
        return hello

    async def events(self) -> list[Event]:
        while not self._heard:
            if self._shepherd is None or self._shepherd.is_dead:
                raise ShepherdGone("the shepherd ended")
            self._arrived.clear()
            await self._arrived.wait()
        heard, self._heard = self._heard, []
        return heard

    async def leave(self) -> None:
        self.say(Leave())
        self._send()

    def hear(self, events: list[Event]) -> None:
        """The shepherd's word; none: it has gone."""
        self._process.loop.call_later(SOCKET_S, self._hear, events)

    def _hear(self, events: list[Event]) -> None:
        self._heard += events
        self._arrived.set()

    def _send(self) -> None:
        if self._unsent and self._shepherd is not None:
            self._shepherd.driver.after(SOCKET_S, self._shepherd.obey, self, self._unsent)
        self._unsent = []


class Shepherds:
    """The second process of a machine, started anew where there is none."""

    def __init__(self, name: str, folder: Folder, driver: Driver, clock: Clock, watch: Watch, seed: str) -> None:
        self.name, self.folder, self.driver, self.clock, self.watch = name, folder.root, driver, clock, watch
        self.is_full = lambda: folder.is_full
        self.chance = random.Random(seed)  # noqa: S311  (a seeded simulation)
        self.trouble = 0.0
        """Chance that the machine cannot make a process."""
        self.present: Shepherd | None = None
        self.orphans: list[Execution] = []

    def reach(self) -> "Shepherd":
        """The one that runs, or a new one, which ends first what a former one left."""
        if self.present is None:
            for execution in self.orphans:
                self.watch.execution_over(self.name, execution, "its shepherd had gone")
            self.orphans.clear()
            self.present = Shepherd(self)
        return self.present

    @property
    def is_idle(self) -> bool:
        """No job's process is left, and no end to be told."""
        return not self.orphans and (self.present is None or self.present.is_idle)

    def freeze(self) -> None:
        """The whole machine stands still; its clock goes on."""
        if self.present is not None:
            self.present.freeze()

    def thaw(self) -> None:
        """Jobs go on where they were; the shepherd wakes within a second."""
        if self.present is not None:
            self.present.thaw()

    def kill(self, *, with_jobs: bool) -> None:
        """The shepherd is gone; its jobs with it where the whole machine is."""
        shepherd, self.present = self.present, None
        if shepherd is None:
            return
        self.orphans += shepherd.die()
        if with_jobs:
            for execution in self.orphans:
                self.watch.execution_over(self.name, execution, "power cut")
            self.orphans.clear()


class Shepherd:
    """One life of it."""

    def __init__(self, machine: Shepherds) -> None:
        self.driver = machine.driver
        self.is_dead = False
        self._machine = machine
        self._jobs: dict[str, Execution] = {}
        self._ended: dict[str, Ended] = {}
        self._link: SimulatedLink | None = None
        self._is_leaving = False
        self._frozen_at: float | None = None
        self._unheard: list[tuple[SimulatedLink, list[Command]]] = []

    def freeze(self) -> None:
        """Nothing is done any more, for now."""
        self._frozen_at = self.driver.now
        for job in self._jobs.values():
            self._machine.watch.frozen(job)
            for step in job.steps:
                step.cancel()

    def thaw(self) -> None:
        """What was to be done is still to be done; deadlines are looked at first, within a second."""
        frozen_at, self._frozen_at = self._frozen_at, None
        if frozen_at is None:
            return
        for job in list(self._jobs.values()):
            left = [step for step in job.steps if step.at > frozen_at and step.deed != self._watch_deadline]
            job.steps = [self.driver.after(step.at - frozen_at, step.deed, *step.values) for step in left]
            job.steps.append(self.driver.after(WAKES_S * self._machine.chance.random(), self._watch_deadline, job))
            self._machine.watch.thawed(job, is_overdue=job.deadline <= self._now())
        unheard, self._unheard = self._unheard, []
        for link, commands in unheard:
            self.obey(link, commands)

    @property
    def is_idle(self) -> bool:
        """Nothing runs, and nothing is to be told."""
        return not self._jobs and not self._ended

    def welcome(self, link: SimulatedLink) -> None:
        """The latest agent is the one. What the one before was not told stands on disk."""
        self.part(self._link)
        self._link = link
        running = [
            Running(attempt, job.start.note, job.log_size_bytes)
            for attempt, job in self._jobs.items()
            if not job.is_unwanted
        ]
        link.hear([Hello(running, list(self._ended.values()))])

    def part(self, link: SimulatedLink | None) -> None:
        """The agent is gone."""
        if link is None or link is not self._link:
            return
        self._link = None
        for end in self._ended.values():
            self._write(end)

    def die(self) -> list[Execution]:
        """Kill -9. Its jobs run on, watched by nobody."""
        self.is_dead = True
        for job in self._jobs.values():
            for step in job.steps:
                step.cancel()
        if self._link is not None:
            self._link.hear([])
        return list(self._jobs.values())

    def obey(self, link: SimulatedLink, commands: list[Command]) -> None:
        """What an agent said."""
        if self._frozen_at is not None:
            self._unheard.append((link, commands))
            return
        if self.is_dead or link is not self._link:
            return
        for command in commands:
            self._obey(command)
        self._leave()

    def _obey(self, command: Command) -> None:
        match command:
            case Start():
                self._start(command)
            case Extend(_, deadline):
                for job in self._known(command.attempts):
                    job.deadline = max(job.deadline, deadline)
            case Stop():
                for job in self._known(command.attempts):
                    self._stop(job, "cancelled")
            case Kill():
                for job in self._known(command.attempts):
                    job.stopped_as = LEASE
                    self._kill(job)
            case Forget():
                self._forget(command.attempts)
            case Leave():
                self._is_leaving = True

    def _forget(self, attempts: Iterable[str]) -> None:
        for attempt in attempts:
            self._machine.watch.forgotten(self._machine.name, attempt)
            self._ended.pop(attempt, None)

    def _start(self, command: Start) -> None:
        if command.attempt_id in self._jobs:
            return
        if self._machine.trouble and self._machine.chance.random() < self._machine.trouble:
            self._tell(_unstarted(command, MACHINE, self._wall()))
            return
        if command.deadline <= self._now():
            self._tell(_unstarted(command, LEASE, self._wall()))
            return
        job = Execution(command, self.driver, self._wall(), self._machine.is_full)
        self._jobs[command.attempt_id] = job
        self._machine.watch.execution_begun(self._machine.name, job)
        last = len(job.plan.log_pieces)
        for index in range(last):
            after_s = job.plan.duration_s * (index + 1) / last
            job.steps.append(self.driver.after(after_s, self._write_log, job, index))
        job.steps.append(self.driver.after(job.plan.duration_s, self._exit, job))
        self._watch_deadline(job)
        if command.timeout_s is not None:
            job.steps.append(self.driver.after(command.timeout_s, self._stop, job, "timed_out"))

    def _write_log(self, job: Execution, index: int) -> None:
        job.write_log(index)
        if self._link is not None:
            self._link.hear([Grown({job.start.attempt_id: job.log_size_bytes})])

    def _exit(self, job: Execution) -> None:
        job.exit_code = job.plan.exit_code if job.write_artifacts() else OUT_OF_ROOM
        self._over(job, "it exited")

    def _watch_deadline(self, job: Execution) -> None:
        left_s = job.deadline - self._now()
        if left_s <= 0:
            job.stopped_as = LEASE
            self._kill(job)
        else:
            job.steps.append(self.driver.after(left_s, self._watch_deadline, job))

    def _stop(self, job: Execution, reason: str) -> None:
        if job.stopped_as is not None or job.is_over:
            return
        job.stopped_as = reason
        grace_s = job.start.grace_s
        if job.plan.obeys_s is not None and job.plan.obeys_s < grace_s:
            job.steps.append(self.driver.after(job.plan.obeys_s, self._die, job, "SIGTERM"))
        else:
            job.steps.append(self.driver.after(grace_s, self._kill, job))

    def _kill(self, job: Execution) -> None:
        job.steps.append(self.driver.after(DEATH_S * self._machine.chance.random(), self._die, job, "SIGKILL"))

    def _die(self, job: Execution, signal: str) -> None:
        job.signal = signal
        self._over(job, f"{signal} ({job.stopped_as})")

    def _over(self, job: Execution, how: str) -> None:
        job.end()
        del self._jobs[job.start.attempt_id]
        self._machine.watch.execution_over(self._machine.name, job, how)
        self._tell(job.told(self.driver.now, self._wall()))
        self._leave()

    def _tell(self, end: Ended) -> None:
        self._ended[end.attempt_id] = end
        self._machine.watch.end_told(self._machine.name, end)
        if self._link is not None:
            self._link.hear([end])
        else:
            self._write(end)

    def _write(self, end: Ended) -> None:
        folder = self._machine.folder / "jobs" / end.attempt_id
        if folder.is_dir():
            (folder / ENDED_FILE).write_bytes(frame([end]))

    def _leave(self) -> None:
        if self._is_leaving and not self._jobs:
            self.is_dead = True
            self._machine.present = None

    def _known(self, attempts: Iterable[str]) -> list[Execution]:
        return [self._jobs[attempt] for attempt in attempts if attempt in self._jobs]

    def _now(self) -> float:
        return self._machine.clock.monotonic()

    def _wall(self) -> float:
        return self._machine.clock.wall().timestamp()


def _unstarted(start: Start, reason: str, wall: float) -> Ended:
    return Ended(
        attempt_id=start.attempt_id, note=start.note, reason=reason, message="no process was made", exit_code=None,
        signal=None, started_at=None, finished_at=wall, wall_s=0, user_s=0, system_s=0, max_rss_bytes=0,
        log_size_bytes=0, log_problem=None,
    )  # fmt: skip
