"""A whole Rota from one seed: services, workers, people, what goes wrong, and what must hold nevertheless."""

import asyncio
import contextlib
import gc
import io
import logging
import random
import shutil
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

from simulation.disk import Folder
from simulation.driver import Driver, ProcessLoop, Violation
from simulation.execution import log_of
from simulation.faults import Faults, Nemesis
from simulation.ledger import QUEUE_TIMEOUT_S
from simulation.machine import Machine
from simulation.network import Network
from simulation.outages import Outages
from simulation.people import People, wishes
from simulation.process import Clock, Process, SimulatedWorld
from simulation.services import PARTICIPANTS, Services, Terms, bytes_of
from simulation.trace import Noted, Trace
from simulation.watch import ENDED_WITH_RESULT, Watch

REST_S = 400.0
"""Within so long after the last fault every job has ended."""
MEMORY = Path("/dev/shm")  # noqa: S108  (files that live for a moment; where it is missing, the ordinary place)


Layout = dict[str, tuple[str, ...]]
TOGETHER: Layout = {"server": PARTICIPANTS}
APART: Layout = {name: (name,) for name in PARTICIPANTS}
LAYOUTS: list[Layout] = [TOGETHER, {"server": PARTICIPANTS[:3], "scheduler": PARTICIPANTS[3:]}, APART]
"""Which participants share a process."""


@dataclass(frozen=True)
class Outcome:
    """How a seed ended."""

    seed: int
    violation: Violation | None
    jobs: int
    executions: int
    steps: int
    simulated_s: float
    notes: list[Noted]
    ids: list[str]
    """Of the violation's job and its attempts."""


class Scene:
    """All of it."""

    def __init__(self, seed: int, root: Path) -> None:
        self.seed, self.root = seed, root
        self.driver = Driver()
        self.trace = Trace(self.driver)
        self.watch = Watch(self.driver, self.trace)
        self.processes: dict[str, Process] = {}
        self.clocks: dict[str, Clock] = {}
        self.frozen: set[str] = set()
        """Machines that stand still as a whole."""
        self.block_s: dict[str, float] = {}
        """Machines whose disk is slow, and by how much."""
        chance = self.chance = self._chance("scene")
        self.network = Network(self.driver, self._chance("network"), self.trace)
        heartbeat_s = chance.choice((1.0, 2.0, 3.0))
        self.terms = Terms(heartbeat_s, heartbeat_s * chance.choice((2, 3)))
        blobs = Folder(root / "blobs", self._chance("blobs"))
        self.outages = Outages(lambda: self.driver.now, self.terms.lease_s, self.watch.fail)
        self.watch.ledger.given, self.watch.ledger.ran_out = self.outages.given, self.outages.ran_out
        self.services = Services(self._process, self.network, self.watch, blobs, self.terms, self.outages)
        self.services.groups = chance.choice(LAYOUTS)
        self.outages.is_apart = self.services.groups is APART
        count = chance.choice((2, 2, 3, 3, 4, 5)) if chance.random() < 0.97 else chance.choice((12, 24, 36))
        self.machines = [self._machine(index) for index in range(count)]
        self.faults = Faults.drawn(self._chance("kinds"))
        if "slow disk" in self.faults.kinds:
            self.watch.ledger.slack_s = QUEUE_TIMEOUT_S
        if "credentials" in self.faults.kinds:
            [issuer] = [group for group, members in self.services.groups.items() if "registry" in members]
            for machine in self.machines:
                machine.enrol(self._world_of(issuer), self._world_of(machine.name))
        self.nemesis = Nemesis(self, self.faults, self._chance("faults"))
        self._by_name = {machine.name: machine for machine in self.machines}
        self.watch.spooled = lambda name: self._by_name[name].folder.durable(self._by_name[name].folder.root / "spool")
        self.watch.ledger.finished = self.watch.check_finish

    def run(self) -> None:
        """From the first start until every job has ended, or an invariant has not held."""
        self.nemesis.begin()
        for name in (*self.services.groups, *self._by_name):
            self.driver.after(self.chance.random() * 0.5, self.start, name)
        people = People(self._process("people", "people"), self.network, self.watch, self._chance("people"))
        people.wish(wishes(self._chance("wishes"), len(self.machines)))
        self.driver.run(self.faults.until_s + REST_S, lambda: self._is_over(people))
        if self.watch.violation is None:
            self._check_the_end(people)

    def start(self, name: str) -> None:
        """A process that is not there."""
        process = self.processes.get(name)
        if process is not None and process.is_alive:
            return
        self.trace.note(name, "starts")
        if name in self._by_name:
            self._by_name[name].start()
        else:
            self.services.start(name)

    def kill(self, name: str) -> None:
        """As kill -9. Not where jobs have lost their shepherd: that both are gone is more than is promised."""
        process = self.processes.get(name)
        if process is not None and process.is_alive and not self._is_untouchable(name):
            self.trace.note(name, "killed")
            process.kill()

    def power_cut(self, name: str) -> None:
        """A machine, and all on it."""
        if name in self.processes:
            self.frozen.discard(name)
            self.trace.note(name, "power cut")
            if name in self._by_name:
                self._by_name[name].power_cut()
            else:
                self.services.power_cut(name)

    def kill_shepherd(self, name: str) -> None:
        """Where an agent sees it and starts another."""
        machine = self._by_name[name]
        process = self.processes.get(name)
        is_seen = process is not None and process.is_alive and not process.loop.is_paused
        if process is not None and is_seen and machine.agent is not None:
            self.trace.note(name, "shepherd killed")
            process.fuse = 0
            machine.shepherds.kill(with_jobs=False)

    def pause(self, name: str, duration_s: float) -> None:
        """SIGSTOP, and SIGCONT later."""
        process = self.processes.get(name)
        if process is not None and process.is_alive and not self._is_untouchable(name):
            self.trace.note(name, f"paused for {duration_s:.3f} s")
            process.loop.pause()
            self.driver.after(duration_s, self._resume, process)

    def freeze(self, name: str, duration_s: float) -> None:
        """A machine with a worker stands still as a whole, and goes on later; its clock goes on meanwhile."""
        process = self.processes.get(name)
        if process is not None and process.is_alive and not self._is_untouchable(name):
            self.trace.note(name, f"frozen for {duration_s:.3f} s")
            self.frozen.add(name)
            process.loop.pause()
            self._by_name[name].shepherds.freeze()
            self.driver.after(duration_s, self.thaw, name, process)

    def thaw(self, name: str, process: Process) -> None:
        """It goes on."""
        if name in self.frozen and self.processes.get(name) is process:
            self.trace.note(name, "thawed")
            self.frozen.discard(name)
            self._by_name[name].shepherds.thaw()
            process.loop.resume()

    def fill(self, name: str) -> None:
        """A machine's disk."""
        self.trace.note(name, "its disk is full")
        if name in self._by_name:
            self._by_name[name].folder.fill()
        else:
            for database in self.services.databases(name):
                database.fill()

    def make_room(self, name: str) -> None:
        """On it."""
        self.trace.note(name, "there is room on its disk")
        if name in self._by_name:
            self._by_name[name].folder.is_full = False
        else:
            for database in self.services.databases(name):
                database.make_room()

    def _resume(self, process: Process) -> None:
        if process.name not in self.frozen:
            process.loop.resume()

    def stop(self, group: str) -> None:
        """SIGTERM to a service."""
        if group in self.processes and self.processes[group].is_alive:
            self.trace.note(group, "told to stop")
            self.services.stop(group)

    def drain(self, name: str, stop_after_s: float | None) -> None:
        """SIGTERM: it finishes what runs, leaves, and is started again. Once more, where it shall not wait for them."""
        agent, process = self._by_name[name].agent, self.processes.get(name)
        if agent is not None and process is not None and process.is_alive:
            self.trace.note(name, "told to drain")
            process.loop.call_soon(agent.drain)
            if stop_after_s is not None:
                process.loop.call_later(stop_after_s, agent.stop)

    def _is_untouchable(self, name: str) -> bool:
        """Its jobs have lost their shepherd, and more than is promised would be lost; or it stands still."""
        return name in self.frozen or (name in self._by_name and bool(self._by_name[name].shepherds.orphans))

    def _chance(self, what: str) -> random.Random:
        return random.Random(f"{self.seed} {what}")  # noqa: S311  (a seeded simulation)

    def _process(self, name: str, machine: str) -> Process:
        """A new life of it."""
        loop = ProcessLoop(self.driver, name, self.watch.own_error)  # type: ignore[abstract] # no sockets, no signals
        chance = self._chance(f"{name} {len(self.trace.notes)}")
        loop.block_s = lambda: chance.random() * self.block_s.get(machine, 0.001)
        process = Process(name, machine, loop, SimulatedWorld(self._clock(machine), chance), self.nemesis.fuse(name))
        process.on_death.append(lambda: self._died(process))
        self.processes[name] = process
        return process

    def _died(self, process: Process) -> None:
        self.trace.note(process.name, "is gone")
        self.network.on_death(process)
        self.nemesis.died(process.name)

    def _clock(self, machine: str) -> Clock:
        if machine not in self.clocks:
            self.clocks[machine] = Clock(self.driver, self.chance.random() * 1e6, self.chance.uniform(-1, 1))
        return self.clocks[machine]

    def _world_of(self, machine: str) -> SimulatedWorld:
        return SimulatedWorld(self._clock(machine), self._chance(f"{machine} world"))

    def _machine(self, index: int) -> Machine:
        name, slots = f"w{index}", self.chance.choice((1, 1, 2, 3))
        return Machine(
            name, slots, self._process, self.network, self.watch, self.driver, self._clock(name), self.root, self.terms,
            f"{self.seed} {name}",
        )  # fmt: skip

    def _is_over(self, people: People) -> bool:
        return (
            self.nemesis.is_over
            and people.waiting == 0
            and all(job.is_over for job in self.watch.ledger.jobs.values())
            and not self.watch.running
            and all(machine.is_idle for machine in self.machines)
        )

    def _check_the_end(self, people: People) -> None:
        fail, ledger = self.watch.fail, self.watch.ledger
        for job, row in ledger.jobs.items():
            if not row.is_over:
                fail("I-6 every job ends", f"job {job} is {row.state}, verdict {row.verdict}, long after all faults")
        if people.waiting or not all(machine.is_idle for machine in self.machines):
            busy = [machine.name for machine in self.machines if not machine.is_idle]
            fail("I-6 every report arrives", f"{people.waiting} wishes are open, and something waits on {busy}")
        if self.watch.shut_out:
            fail("I-6 nobody is shut out", f"the registry refuses {sorted(self.watch.shut_out)}, which are there")
        for attempt in self.watch.received:
            if ledger.attempts[attempt].state not in ENDED_WITH_RESULT:
                fail("I-3 received is durable", f"{attempt} was received and is {ledger.attempts[attempt].state}")
        for attempt, ended in ledger.attempts.items():
            if ended.state in ENDED_WITH_RESULT and attempt in self.watch.runs:
                self._check_bytes(attempt)

    def _check_bytes(self, attempt: str) -> None:
        """Log and artifacts are what the job wrote, or it is said that they are not whole."""
        run = self.watch.runs[attempt]
        plan = run.execution.plan
        found = bytes_of(self.services.jobs_database.connection, self.services.blobs, attempt)
        [[problems]] = self.services.jobs_database.connection.execute(
            "SELECT problems FROM attempt WHERE id = ?", (attempt,)
        )
        wrote = {"": log_of(attempt, plan)[: run.execution.log_size_bytes]}
        if run.execution.exit_code is not None:
            wrote |= run.execution.artifacts
        for path, inside in wrote.items():
            if found.get(path, b"") != inside and not (problems and self._may_lack(run.is_cut_off, inside)):
                sizes = f"{len(found.get(path, b''))} bytes instead of {len(inside)}"
                self.watch.fail("I-7 byte for byte", f"{attempt} `{path or 'log'}`: {sizes}; problems: {problems}")
        if set(found) - set(wrote):
            self.watch.fail("I-7 byte for byte", f"{attempt} has {sorted(found)}, it wrote {sorted(wrote)}")

    def _may_lack(self, is_cut_off: bool, inside: bytes) -> bool:  # noqa: FBT001  (a fact of the run)
        return is_cut_off or len(inside) > 300_000


class Said(io.TextIOBase):
    """Stderr, while a simulation runs: into the trace."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def write(self, text: str) -> int:
        loop = asyncio._get_running_loop()  # noqa: SLF001  (None where the world itself speaks)
        self._watch.said(loop.name if isinstance(loop, ProcessLoop) else "world", text)
        return len(text)


def simulate(seed: int) -> Outcome:
    """One seed, from beginning to end. Raises nothing for a violation: it is in the outcome."""
    root = Path(tempfile.mkdtemp(prefix="rota-sim-", dir=MEMORY if MEMORY.is_dir() else None))
    scenes: list[Scene] = []
    logged = logging.root.manager.disable
    logging.disable()  # who listens to the log must make no difference
    gc.disable()  # what a dead process left must not be tidied up at a moment that nobody can foresee
    try:
        scenes.append(Scene(seed, root))
        with contextlib.redirect_stderr(Said(scenes[0].watch)):
            scenes[0].run()
        return _outcome(scenes[0])
    finally:
        _forget(scenes)
        shutil.rmtree(root, ignore_errors=True)
        gc.enable()
        logging.disable(logged)


def _forget(scenes: list[Scene]) -> None:
    """Let go of it: of tasks that never ended, and coroutines in the middle of a step, of which Python would warn."""
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            scenes.clear()
            gc.collect()
    finally:
        sys.unraisablehook = hook


def _outcome(scene: Scene) -> Outcome:
    watch, violation = scene.watch, scene.watch.violation
    named = (
        []
        if violation is None
        else [one for one in (*watch.ledger.jobs, *watch.ledger.attempts) if one in violation.text]
    )
    jobs = {watch.ledger.attempts[one].job if one in watch.ledger.attempts else one for one in named}
    ids = [*sorted(jobs), *(one for one, row in watch.ledger.attempts.items() if row.job in jobs)]
    return Outcome(
        scene.seed, violation, len(watch.ledger.jobs), len(watch.runs), scene.driver.steps,
        scene.driver.now, scene.trace.notes, ids,
    )  # fmt: skip
