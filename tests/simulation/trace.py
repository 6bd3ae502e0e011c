"""What happened, message by message: compared when a seed is replayed, drawn when it fails.

Taking notes must cost little, so words are made of them only when somebody reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from rota.cli.draw_flow import draw
from rota.protocol.flow import Message, Participant
from rota.protocol.ids import AttemptId
from rota.protocol.problems import Problem
from rota.protocol.wire import timestamp
from simulation.process import EPOCH

if TYPE_CHECKING:
    from simulation.driver import Driver
    from simulation.network import Exchange

ANSWERS = {
    "getJob": "returnJob",
    "getJobForWorker": "returnJobForWorker",
    "refuse job": "refuse accepted",
    "jobFinished": "jobFinishedReceived",
    "status": "status received",
}
SHOWN_MAX = 160
LABEL_MAX = 70
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7")
_PLACES = {
    "gateway": Participant.GATEWAY,
    "registry": Participant.REGISTRY,
    "jobs": Participant.JOB,
    "desk": Participant.JOB,
    "scheduler": Participant.SCHEDULER,
}


@dataclass(frozen=True)
class Noted:
    """One line of the trace. `place` None: it happened within `who`."""

    at: float
    who: str
    place: str | None
    name: str
    number: int
    is_answer: bool
    outcome: str
    what: object

    @property
    def words(self) -> str:
        """What was said, as text."""
        what = self.what
        if isinstance(what, bytes):
            return what.decode("utf-8", "replace")
        if isinstance(what, Problem):
            return f"{what.slug}: {what.detail}"
        return "" if what is None else str(what)

    def line(self) -> str:
        """For people, and to compare."""
        arrow = "" if self.place is None else f" {'<-' if self.is_answer else '->'} {self.place}"
        number = f" #{self.number}" if self.number else ""
        return f"{self.at:11.6f} {self.who}{arrow}: {self.name}{number} {self.outcome} {self.words[:SHOWN_MAX]}"


class Trace:
    """All that was noted, in order."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self.notes: list[Noted] = []

    def note(self, who: str, text: str) -> None:
        """Something that is no message: a kill, a start, a move."""
        self.notes.append(Noted(self._driver.now, who, None, text, 0, is_answer=False, outcome="", what=None))

    def sent(self, exchange: Exchange) -> None:
        """A message leaves."""
        self._add(exchange, exchange.name, "sent", exchange.body, is_answer=False)

    def arrived(self, exchange: Exchange) -> None:
        """It is there."""
        self._add(exchange, exchange.name, "arrived", None, is_answer=False)

    def vanished(self, exchange: Exchange, which: str) -> None:
        """It, or its answer, is lost."""
        self._add(exchange, exchange.name, f"{which} vanished", None, is_answer=which == "answer")

    def answered(self, exchange: Exchange, answer: object) -> None:
        """The answer is there."""
        outcome = "problem" if isinstance(answer, Problem) else "ok"
        self._add(exchange, ANSWERS.get(exchange.name, f"{exchange.name} answered"), outcome, answer, is_answer=True)

    def _add(self, exchange: Exchange, name: str, outcome: str, what: object, *, is_answer: bool) -> None:
        who, place, number = exchange.asker.name, exchange.address, exchange.number
        self.notes.append(Noted(self._driver.now, who, place, name, number, is_answer, outcome, what))


def about(notes: Sequence[Noted], ids: Sequence[str]) -> list[Noted]:
    """The exchanges in which one of these ids is named, and all that is no message."""
    wanted = re.compile("|".join(map(re.escape, ids)))
    numbers = {noted.number for noted in notes if noted.number and wanted.search(noted.words)}
    return [noted for noted in notes if (noted.number in numbers if noted.number else _concerns(noted.name, wanted))]


def _concerns(text: str, wanted: re.Pattern[str]) -> bool:
    """What befell a process does; what it says, and what another job did, does not."""
    is_of_others = text.startswith(("says", "VIOLATION")) or _ID.search(text) is not None
    return not is_of_others or (wanted.search(text) is not None and not text.startswith("VIOLATION"))


def drawn(notes: Sequence[Noted]) -> Iterator[str]:
    """A sequence diagram in characters, as `rota flow` draws it."""
    return draw([_message(noted) for noted in notes if noted.outcome != "arrived"])


def plantuml(notes: Sequence[Noted]) -> str:
    """The same for PlantUML, each process with a lifeline of its own."""
    names = list(dict.fromkeys(name for noted in notes for name in (noted.who, noted.place) if name))
    short = {name: f"p{index}" for index, name in enumerate(names)}
    lines = ["@startuml", *(f'participant "{name}" as {short[name]}' for name in names)]
    for noted in notes:
        said = f"{noted.at:.3f} {noted.name} {noted.outcome}".strip()
        if noted.place is None:
            lines.append(f"note over {short[noted.who]}: {said}")
        elif noted.outcome != "arrived":
            here, there = (noted.place, noted.who) if noted.is_answer else (noted.who, noted.place)
            bad = "[#red]" if noted.outcome.endswith(("vanished", "problem")) else ""
            lines.append(f"{short[here]} -{bad}{'-' if noted.is_answer else ''}> {short[there]}: {said}")
    return "\n".join([*lines, "@enduml", ""])


def _message(noted: Noted) -> Message:
    at = timestamp(EPOCH + timedelta(seconds=noted.at))
    who = _PLACES.get(noted.who.split("#")[0], Participant.WORKER)
    bad = noted.outcome.endswith(("vanished", "problem"))
    said = f"{noted.name} ({noted.who})" if noted.place != noted.who else noted.name
    if noted.place is None:
        return Message(at, None, who, who, f"{noted.who}: {noted.name}"[:LABEL_MAX])
    place = _PLACES.get(noted.place, Participant.JOB)
    here, there = (place, who) if noted.is_answer else (who, place)
    detail = f"{noted.outcome}: {noted.words[:SHOWN_MAX]}" if bad else None
    return Message(at, AttemptId(""), here, there, said, "error" if bad else "ok", detail)
