"""What goes wrong, and when: drawn from the seed before anything happens.

Each seed has only some kinds of faults (Groce et al., "Swarm Testing", 2012): a kind that is always there would hide
what needs its absence.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulation.network import Weather

if TYPE_CHECKING:
    from simulation.scene import Scene

KINDS = (
    "agent killed", "service killed", "power cut", "shepherd killed", "parted", "slow link", "answers lost", "repeated",
    "slow", "paused", "clock", "slow disk", "upgrade", "no process", "at a step", "late answers", "frozen",
    "disk full", "credentials",
)  # fmt: skip
TALKS = (
    ("gateway", "jobs"), ("registry", "jobs"), ("jobs", "registry"), ("scheduler", "jobs"), ("worker", "gateway"),
    ("worker", "registry"),
)  # fmt: skip
STEPS_MAX = 250
AGAIN_S = 3.0


@dataclass(frozen=True)
class Faults:
    """The kinds that this seed has, and until when they come."""

    kinds: frozenset[str]
    until_s: float

    @classmethod
    def drawn(cls, chance: random.Random) -> "Faults":
        """Of a seed."""
        kinds = frozenset(kind for kind in KINDS if chance.random() < 0.4)
        return cls(kinds, 15 + chance.random() * 25)


class Nemesis:
    """Brings them about."""

    def __init__(self, scene: "Scene", faults: Faults, chance: random.Random) -> None:
        self._scene, self._faults, self._chance = scene, faults, chance
        self.is_over = False
        deeds: dict[str, Callable[[], None]] = {
            "agent killed": self._kill_agent,
            "service killed": self._kill_service,
            "power cut": self._cut_power,
            "shepherd killed": self._kill_shepherd,
            "parted": self._part,
            "slow link": self._slow_link,
            "paused": self._pause,
            "clock": self._set_clock,
            "slow disk": self._slow_disk,
            "upgrade": self._upgrade,
            "frozen": self._freeze,
            "disk full": self._fill_disk,
            "late answers": self._answer_late,
        }
        self._deeds = [deed for kind, deed in deeds.items() if kind in faults.kinds]

    def begin(self) -> None:
        """Plan all, and the end of all."""
        kinds, chance, driver = self._faults.kinds, self._chance, self._scene.driver
        weather = self._scene.network.weather
        if "answers lost" in kinds:
            weather.drop = chance.choice((0.02, 0.05, 0.15, 0.3))
        if "repeated" in kinds:
            weather.repeat = chance.choice((0.05, 0.2))
        if "slow" in kinds:
            weather.slow, weather.slow_s = chance.choice((0.05, 0.2, 0.5)), chance.choice((1.0, 2.0, 4.0, 8.0))
        if kinds & {"answers lost", "parted"}:
            weather.cut = 0.2
        if "no process" in kinds:
            for machine in self._scene.machines:
                machine.shepherds.trouble = 0.15
        for _ in range(chance.randint(4, 20) if self._deeds else 0):
            driver.after(1 + chance.random() * (self._faults.until_s - 1), chance.choice(self._deeds))
        driver.after(self._faults.until_s, self._cease)

    def fuse(self, name: str) -> int:
        """At which step a process that starts now is killed; 0: at none."""
        if self.is_over or "at a step" not in self._faults.kinds or name == "people":
            return 0
        chance = self._chance
        return chance.randint(1, STEPS_MAX) if chance.random() < 0.7 else 0

    def died(self, name: str) -> None:
        """Whatever was killed starts again, after a while."""
        again_s = 0.3 + self._chance.random() * (AGAIN_S if self._chance.random() < 0.7 else 5 * AGAIN_S)
        self._scene.driver.after(1.0 if self.is_over else again_s, self._scene.start, name)

    def _cease(self) -> None:
        scene = self._scene
        self.is_over = True
        scene.trace.note("faults", "cease")
        scene.network.weather = Weather()
        scene.network.heal()
        for machine in scene.machines:
            machine.shepherds.trouble = 0.0
        for process in scene.processes.values():
            scene.thaw(process.name, process)
            process.fuse = 0
            process.loop.resume()
        scene.block_s.clear()
        for name in self._names():
            scene.make_room(name)

    def _kill_agent(self) -> None:
        self._scene.kill(self._any_machine())

    def _kill_service(self) -> None:
        group = self._chance.choice(list(self._scene.services.groups))
        self._scene.kill(group) if self._chance.random() < 0.7 else self._scene.stop(group)

    def _cut_power(self) -> None:
        name = self._chance.choice([*self._scene.services.groups, *(m.name for m in self._scene.machines)])
        self._scene.power_cut(name)

    def _kill_shepherd(self) -> None:
        self._scene.kill_shepherd(self._any_machine())

    def _part(self) -> None:
        names = [*self._scene.services.groups, "people", *(machine.name for machine in self._scene.machines)]
        self._part_two(self._chance.choice(list(self._scene.services.groups)), self._chance.choice(names))

    def _part_two(self, here: str, there: str) -> None:
        if self.is_over:
            return
        until_s = self._scene.driver.now + self._chance.choice((1, 4, 9, 15)) * (0.5 + self._chance.random())
        self._scene.trace.note("faults", f"{here} and {there} parted until {until_s:.3f}")
        self._scene.network.part(here, there, until_s)
        if self._chance.random() < 0.6:
            self._scene.network.part(there, here, until_s)

    def _slow_link(self) -> None:
        here, there = self._who_talk()
        delay_s, duration_s = self._chance.choice((1.0, 2.0, 4.0, 8.0)), self._chance.random() * 15
        until_s = self._scene.driver.now + duration_s
        self._scene.trace.note("faults", f"{here} and {there} slow until {until_s:.3f}, up to {delay_s} s")
        self._scene.network.slow_down(here, there, until_s, delay_s)
        if self._chance.random() < 0.5:
            self._scene.network.slow_down(there, here, until_s, delay_s)
        if self._chance.random() < 0.8:  # what is slow breaks, often enough
            self._scene.driver.after(duration_s * self._chance.random(), self._part_two, here, there)

    def _answer_late(self) -> None:
        """The gateway's answers to a worker come late, as late as it waits for them; then none comes, for long.

        Of those that run something the one whose job has longest to go: it is about to be lost and given to another.
        """
        scene, terms = self._scene, self._scene.terms
        running = list(scene.watch.running.values())
        if not running:
            return
        there = max(running, key=lambda run: run.execution.left_s).machine
        [here] = [group for group, members in scene.services.groups.items() if "gateway" in members]
        delay_s = terms.heartbeat_s * (0.6 + 0.35 * self._chance.random())
        parted_after_s = terms.heartbeat_s + delay_s * (1 + self._chance.random())
        duration_s = 2 * terms.lease_s + 4
        scene.trace.note("faults", f"{here} answers {there} {delay_s:.3f} s late")
        scene.network.slow_down(here, there, scene.driver.now + parted_after_s, delay_s, delay_s)
        scene.driver.after(parted_after_s, self._part_for, here, there, duration_s)

    def _part_for(self, here: str, there: str, duration_s: float) -> None:
        if not self.is_over:
            until_s = self._scene.driver.now + duration_s
            self._scene.trace.note("faults", f"{here} and {there} parted until {until_s:.3f}, both ways")
            self._scene.network.part(here, there, until_s)
            self._scene.network.part(there, here, until_s)

    def _who_talk(self) -> tuple[str, str]:
        """Two machines between which messages go, in either order."""
        asks, answers = self._chance.choice(TALKS)
        groups = self._scene.services.groups
        where = {member: group for group, members in groups.items() for member in members}
        pair = [where.get(asks) or self._any_machine(), where[answers]]
        if pair[0] == pair[1]:
            pair[0] = self._any_machine()
        self._chance.shuffle(pair)
        return pair[0], pair[1]

    def _pause(self) -> None:
        is_agent = self._chance.random() < 0.7
        name = self._any_machine() if is_agent else self._chance.choice(list(self._scene.services.groups))
        self._scene.pause(name, self._chance.choice((0.5, 3, 7, 12)) * (0.5 + self._chance.random()))

    def _freeze(self) -> None:
        self._scene.freeze(self._any_machine(), self._chance.choice((0.5, 3, 7, 12)) * (0.5 + self._chance.random()))

    def _set_clock(self) -> None:
        name = self._chance.choice(list(self._scene.clocks))
        clock = self._scene.clocks[name]
        if "credentials" in self._faults.kinds and name in self._scene.services.groups:
            # Of a credential's life here hours are left; there, it is a minute.
            clock.offset_s = max(-70.0, min(10.0, clock.offset_s + self._chance.choice((-70, -20, 3, 5))))
            return
        clock.offset_s += self._chance.choice((-7200, -20, -3, 3, 20, 7200)) * self._chance.random()
        clock.drift = self._chance.choice((0.0, 0.05, -0.05))

    def _slow_disk(self) -> None:
        name = self._chance.choice(self._names())
        self._scene.block_s[name] = self._chance.choice((0.05, 0.5, 2.0))
        self._scene.driver.after(self._chance.random() * 8, self._scene.block_s.pop, name, None)

    def _fill_disk(self) -> None:
        name = self._chance.choice(self._names())
        self._scene.fill(name)
        self._scene.driver.after(self._chance.choice((2, 6, 12)) * self._chance.random(), self._scene.make_room, name)

    def _names(self) -> list[str]:
        return [*self._scene.services.groups, *(machine.name for machine in self._scene.machines)]

    def _upgrade(self) -> None:
        self._scene.drain(self._any_machine(), self._chance.choice((None, None, 1.0)))

    def _any_machine(self) -> str:
        return self._chance.choice(self._scene.machines).name
