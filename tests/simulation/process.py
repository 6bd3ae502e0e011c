"""A simulated process and the machine's clocks below it: what it is given instead of a real world."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from simulation.driver import Driver, ProcessLoop

EPOCH = datetime(2026, 11, 23, 12, tzinfo=UTC)
NEVER = -1


@dataclass
class Clock:
    """A machine's: `boot_s` is its own zero of the monotonic clock; the wall clock drifts and is set at will."""

    driver: Driver
    boot_s: float
    offset_s: float = 0.0
    drift: float = 0.0

    def wall(self) -> datetime:
        """As people there would read it."""
        return EPOCH + timedelta(seconds=self.driver.now * (1 + self.drift) + self.offset_s)

    def monotonic(self) -> float:
        """The same rate everywhere, but no two machines agree on the number."""
        return self.driver.now + self.boot_s


class SimulatedWorld:
    """See `rota.world.World`."""

    def __init__(self, clock: Clock, chance: random.Random) -> None:
        self._clock, self._chance = clock, chance

    def now(self) -> datetime:
        return self._clock.wall()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def new_id(self) -> str:
        bits = f"{self._chance.getrandbits(72):018x}"
        stamp = f"{int(self._clock.wall().timestamp() * 1000):012x}"
        return f"{stamp[:8]}-{stamp[8:]}-7{bits[:3]}-8{bits[3:6]}-{bits[6:]}"

    def random(self) -> float:
        return self._chance.random()

    def secret(self, size_bytes: int) -> bytes:
        return self._chance.randbytes(size_bytes)

    async def sleep(self, duration_s: float) -> None:
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        loop.call_later(duration_s, wake, done)
        await done


def wake(done: "asyncio.Future[None]") -> None:
    """Unless nobody waits any more."""
    if not done.done():
        done.set_result(None)


@dataclass
class Process:
    """One life of a process, from its start to its end. `fuse` counts down to the step at which it is killed."""

    name: str
    machine: str
    loop: ProcessLoop
    world: SimulatedWorld
    fuse: int = NEVER
    doors: dict[str, Any] = field(default_factory=dict)
    """What it serves, by address; none until it is ready."""
    on_death: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.loop.may_die = self.may_die
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def is_alive(self) -> bool:
        """Not killed, and not ended by itself."""
        return not self.loop.is_dead

    def may_die(self) -> bool:
        """A step at which a kill would be felt. True: this was the one, and the process is no more."""
        if self.fuse > 0:
            self.fuse -= 1
            if self.fuse == 0:
                self.kill()
        return self.loop.is_dead

    def kill(self) -> None:
        """As kill -9."""
        if self.loop.is_dead:
            return
        self.loop.die()
        self.doors.clear()
        for tell in self.on_death:
            tell()

    def begin(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """A task of this process. Its failure is the simulation's."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)
        return task

    def _over(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.loop.call_exception_handler({"message": "a task died", "exception": task.exception()})
