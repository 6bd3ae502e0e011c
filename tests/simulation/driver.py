"""Simulated time: one clock for all, and an event loop for each simulated process, stepped in one fixed order.

Nothing here sleeps: when nothing is left to do at a moment, the clock jumps to the next timer.
"""

import asyncio
import heapq
from asyncio import _set_running_loop
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any, TypeVar

T = TypeVar("T")
Deed = Callable[..., object]


class Violation(Exception):
    """An invariant does not hold. `invariant` is its short name, the text says of whom and how."""

    def __init__(self, invariant: str, text: str) -> None:
        super().__init__(f"{invariant}: {text}")
        self.invariant, self.text = invariant, text


class Step(asyncio.TimerHandle):
    """Something to be done at a moment, within a process (or, `loop` None, by the world itself)."""

    __slots__ = ("at", "deed", "is_off", "loop", "values")

    def __init__(self, at: float, loop: "ProcessLoop | None", deed: Callable[..., object], values: Any) -> None:  # noqa: ANN401
        self.at, self.loop, self.deed, self.values, self.is_off = at, loop, deed, values, False

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def cancel(self) -> None:
        self.is_off = True

    def cancelled(self) -> bool:
        return self.is_off

    def when(self) -> float:
        return self.at


class Driver:
    """The clock, and all that is still to come, in the order of time and then of asking."""

    def __init__(self) -> None:
        self.now = 0.0
        self.steps = 0
        self.stopped = False
        self._count = 0
        self._ready: deque[Step] = deque()
        self._later: list[tuple[float, int, Step]] = []

    def soon(self, step: Step) -> None:
        """At this very moment, after what is already to be done."""
        self._ready.append(step)

    def later(self, step: Step) -> None:
        """When its moment has come."""
        self._count += 1
        heapq.heappush(self._later, (step.at, self._count, step))

    def after(self, delay_s: float, deed: Callable[..., object], *values: Any) -> Step:  # noqa: ANN401
        """The world's own deed, which no process can prevent."""
        step = Step(self.now + delay_s, None, deed, values)
        self.later(step)
        return step

    def stop(self) -> None:
        """Nothing more happens."""
        self.stopped = True

    def run(self, until_s: float, is_over: Callable[[], bool]) -> None:
        """Go on until it is over, nothing is left to do, or the clock shows `until_s`."""
        running: ProcessLoop | None = None
        ready, later = self._ready, self._later
        try:
            while not self.stopped:
                while ready and not self.stopped:
                    step = ready.popleft()
                    loop = step.loop
                    if step.is_off or (loop is not None and not loop.takes(step)):
                        continue
                    if loop is not None and loop is not running:
                        _set_running_loop(loop)
                        running = loop
                    self.steps += 1
                    step.deed(*step.values)
                if is_over() or not later or later[0][0] > until_s:
                    return
                at, _, step = heapq.heappop(later)
                self.now = max(self.now, at)
                ready.append(step)
        finally:
            _set_running_loop(None)


class ProcessLoop(asyncio.AbstractEventLoop):
    """What asyncio sees of a simulated process: it can be paused, and killed in the middle of whatever it does."""

    def __init__(self, driver: Driver, name: str, fail: Callable[[str], None]) -> None:
        self.driver, self.name = driver, name
        self.is_dead = False
        self.is_paused = False
        self.block_s: Callable[[], float] = lambda: 0.0
        """How long a call that blocks takes, before its effect and again before its answer."""
        self.may_die: Callable[[], bool] = lambda: False
        self._fail = fail
        self._backlog: list[Step] = []
        self._kept: list[Any] = []

    def takes(self, step: Step) -> bool:
        """Whether the step may be done now: not while paused, and never after death."""
        if self.is_dead:
            self._kept.append(step)  # else its coroutines would end, and what is in their `finally` would happen
            return False
        if self.is_paused:
            self._backlog.append(step)
            return False
        return True

    def die(self) -> None:
        """As kill -9 does it: nothing of it is done any more, no `finally` and no farewell."""
        self._kept.extend(asyncio.all_tasks(self))
        self._kept.extend(self._backlog)
        self.is_dead = True

    def pause(self) -> None:
        """SIGSTOP."""
        self.is_paused = True

    def resume(self) -> None:
        """SIGCONT: what should have been done meanwhile is done now."""
        self.is_paused = False
        backlog, self._backlog = self._backlog, []
        for step in backlog:
            self.driver.soon(step)

    def time(self) -> float:
        return self.driver.now

    def call_soon(self, callback: Deed, *args: Any, context: Context | None = None) -> Step:  # type: ignore[override]  # noqa: ANN401
        del context  # nothing in Rota keeps anything in one
        step = Step(self.driver.now, self, callback, args)
        self.driver.soon(step)
        return step

    def call_soon_threadsafe(self, callback: Deed, *args: Any, context: Context | None = None) -> Step:  # type: ignore[override]  # noqa: ANN401
        return self.call_soon(callback, *args, context=context)

    def call_later(self, delay: float, callback: Deed, *args: Any, context: Context | None = None) -> Step:  # type: ignore[override]  # noqa: ANN401
        return self.call_at(self.driver.now + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Deed, *args: Any, context: Context | None = None) -> Step:  # type: ignore[override]  # noqa: ANN401
        del context
        step = Step(when, self, callback, args)
        self.driver.later(step)
        return step

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: object = None, context: Context | None = None) -> asyncio.Task[Any]:  # noqa: ANN401
        del name, context
        return asyncio.Task(coro, loop=self)

    def run_in_executor(self, executor: object, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]  # noqa: ANN401
        """What blocks: its effect comes a while after the call, its answer a while after its effect."""
        del executor
        done: asyncio.Future[T] = self.create_future()
        self.call_later(self.block_s(), self._perform, done, func, args)
        return done

    def _perform(self, done: asyncio.Future[T], func: Callable[..., T], args: Any) -> None:  # noqa: ANN401
        if self.may_die():
            return
        value: T | None = None
        error: BaseException | None = None
        try:
            value = func(*args)
        except Killed:
            return
        except (OSError, LookupError, RuntimeError, TypeError, ValueError, AttributeError) as raised:
            error = raised
        except Exception as raised:
            if type(raised).__module__.split(".")[0] != "rota":
                raise
            error = raised
        if not self.may_die():
            self.call_later(self.block_s(), _settle, done, value, error)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not self.is_dead:
            self._fail(f"{self.name}: {context.get('message')}: {error!r}")

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False


class Killed(BaseException):
    """The process ended in the middle of a call that blocks. No handler of the process's own may see it."""


def _settle(done: asyncio.Future[T], value: Any, error: BaseException | None) -> None:  # noqa: ANN401
    if done.done():
        return  # who waited has gone
    if error is None:
        done.set_result(value)
    else:
        done.set_exception(error)
