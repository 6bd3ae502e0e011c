"""The simulated network: delays, drops, repeats, reorders and cuts messages, and parts any two machines."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from rota.protocol.problems import Internal, Problem, Unavailable, raised_again
from simulation.driver import Driver, Step
from simulation.process import Process
from simulation.trace import Trace

Deed = Callable[[Any], Awaitable[Any]]
"""What is done at the door of who is asked; called once more where the message is repeated."""


@dataclass
class Weather:
    """How the network behaves just now."""

    delay_s: float = 0.002
    drop: float = 0.0
    """Chance of a message, and of an answer, to vanish."""
    repeat: float = 0.0
    slow: float = 0.0
    """Chance of a message, and of an answer, to take up to `slow_s`."""
    slow_s: float = 0.0
    cut: float = 0.0
    """Chance that an upload breaks off on the way."""


@dataclass(eq=False)
class Exchange:
    """A message and its answer, on their way."""

    number: int
    asker: Process
    address: str
    name: str
    deed: Deed
    body: object
    answer: asyncio.Future[Any]
    is_given_up: bool = False
    serving: list[tuple[Process, asyncio.Task[Any]]] = field(default_factory=list)


class Network:
    """Who is where, and what is on its way."""

    def __init__(self, driver: Driver, chance: random.Random, trace: Trace) -> None:
        self.weather = Weather()
        self.places: dict[str, Process] = {}
        """Who answers at an address."""
        self._driver, self._chance, self._trace = driver, chance, trace
        self._parted: dict[tuple[str, str], float] = {}
        self._sluggish: dict[tuple[str, str], tuple[float, float, float]] = {}
        self._open: dict[int, Exchange] = {}
        self._count = 0

    def part(self, here: str, there: str, until_s: float) -> None:
        """Nothing comes from one machine to the other until then."""
        self._parted[here, there] = until_s

    def slow_down(self, here: str, there: str, until_s: float, delay_s: float, least_s: float = 0.0) -> None:
        """What goes from one machine to the other takes up to so long until then."""
        self._sluggish[here, there] = until_s, least_s, delay_s

    def heal(self) -> None:
        """Every machine reaches every other at once."""
        self._parted.clear()
        self._sluggish.clear()
        self.weather = Weather()

    def cut(self, size_bytes: int) -> int | None:
        """After how many bytes an upload breaks off; None: it does not."""
        if size_bytes and self._chance.random() < self.weather.cut:
            return self._chance.randrange(size_bytes)
        return None

    async def ask(
        self, asker: Process, address: str, name: str, deed: Deed, timeout_s: float, body: object = None
    ) -> Any:  # noqa: ANN401  (whatever the door answers)
        """The answer. Raises the Problem that was answered, and Unavailable where there was no answer."""
        self._count += 1
        exchange = Exchange(self._count, asker, address, name, deed, body, asker.loop.create_future())
        self._open[exchange.number] = exchange
        limit = self._driver.after(timeout_s, self._fail, exchange, f"no answer within {timeout_s:g} s")
        self._trace.sent(exchange)
        self._send(exchange)
        if self._chance.random() < self.weather.repeat:
            self._send(exchange, self._chance.random() * 4)
        try:
            return await exchange.answer
        finally:
            self._give_up(exchange, limit)

    def on_death(self, process: Process) -> None:
        """Whom it served sees the connection break, mostly; whom it asked, too."""
        for exchange in list(self._open.values()):
            if exchange.asker is process:
                self._give_up(exchange, None)
            elif any(served_by is process for served_by, _ in exchange.serving) and self._chance.random() < 0.8:
                self._driver.after(self._delay_s(), self._fail, exchange, "no connection: reset")

    def _send(self, exchange: Exchange, later_s: float = 0.0) -> None:
        if self._vanishes(exchange.asker.machine, exchange.address):
            self._trace.vanished(exchange, "message")
        else:
            delay_s = self._delay_s(exchange.asker.machine, exchange.address)
            self._driver.after(later_s + delay_s, self._arrive, exchange)

    def _arrive(self, exchange: Exchange) -> None:
        place = self.places.get(exchange.address)
        if place is None or not place.is_alive or exchange.address not in place.doors:
            self._driver.after(self._delay_s(), self._fail, exchange, "no connection: refused")
            return
        place.loop.call_soon(self._begin, exchange, place)

    def _begin(self, exchange: Exchange, place: Process) -> None:
        if place.may_die() or exchange.address not in place.doors:
            return
        self._trace.arrived(exchange)
        task = place.begin(self._serve(exchange, place))
        exchange.serving.append((place, task))

    async def _serve(self, exchange: Exchange, place: Process) -> None:
        try:
            answer = await exchange.deed(place.doors[exchange.address])
        except Problem as problem:
            answer = problem
        if isinstance(answer, Internal):
            place.loop.call_exception_handler({"message": "answered Internal", "exception": answer})
        if place.may_die():
            return
        if self._vanishes(place.machine, exchange.asker.machine):
            self._trace.vanished(exchange, "answer")
        else:
            delay_s = self._delay_s(place.machine, exchange.asker.machine)
            self._driver.after(delay_s, self._return, exchange, answer)

    def _return(self, exchange: Exchange, answer: object) -> None:
        asker = exchange.asker
        if asker.is_alive and not exchange.answer.done():
            asker.loop.call_soon(self._answer, exchange, answer)

    def _answer(self, exchange: Exchange, answer: object) -> None:
        if exchange.answer.done() or exchange.asker.may_die():
            return
        self._trace.answered(exchange, answer)
        if isinstance(answer, Problem):
            exchange.answer.set_exception(raised_again(answer.body(), answer.retry_after_s))
        else:
            exchange.answer.set_result(answer)

    def _fail(self, exchange: Exchange, why: str) -> None:
        if exchange.asker.is_alive and not exchange.answer.done():
            self._trace.answered(exchange, Unavailable(why))
            exchange.answer.set_exception(Unavailable(why))

    def _give_up(self, exchange: Exchange, limit: Step | None) -> None:
        """Nobody waits for it any more: a getJob that is held hears that its worker hung up."""
        exchange.is_given_up = True
        self._open.pop(exchange.number, None)
        if limit is not None:
            limit.cancel()
        if exchange.name == "getJob":
            self._driver.after(self._delay_s(), _hang_up, exchange)

    def _vanishes(self, here: str, there: str) -> bool:
        if self._parted and self._parted.get((here, self._machine(there)), 0.0) > self._driver.now:
            return True
        return self.weather.drop > 0 and self._chance.random() < self.weather.drop

    def _machine(self, there: str) -> str:
        return self.places[there].machine if there in self.places else there

    def _delay_s(self, here: str = "", there: str = "") -> float:
        weather = self.weather
        if self._sluggish:
            until_s, least_s, delay_s = self._sluggish.get((here, self._machine(there)), (0.0, 0.0, 0.0))
            if until_s > self._driver.now:
                return least_s + (delay_s - least_s) * self._chance.random()
        if weather.slow and self._chance.random() < weather.slow:
            return self._chance.random() * weather.slow_s
        return weather.delay_s * (0.5 + self._chance.random())


def _hang_up(exchange: Exchange) -> None:
    for place, task in exchange.serving:
        if place.is_alive and not task.done():
            place.loop.call_soon(task.cancel)
