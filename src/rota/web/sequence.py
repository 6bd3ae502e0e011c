"""A job's flow as a sequence diagram: where every lifeline, arrow and note stands. Source: flows.md."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rota.protocol.flow import Message, Participant
from rota.protocol.ids import AttemptId
from rota.protocol.wire import parse_timestamp

ALWAYS = (Participant.REGISTRY, Participant.WORKER, Participant.GATEWAY, Participant.JOB)
ANSWERS = frozenset(
    {"returnJobForWorker", "returnJob", "status received", "jobFinishedReceived", "refuse accepted", "verdict"}
)
LEFT, COLUMN, ROW, TOP = 96, 190, 34, 56
DRAWN_MAX = 400
"""Messages in one drawing; more of them are told in the table beside it alone."""


@dataclass(frozen=True)
class Lifeline:
    """One participant."""

    name: str
    x: int


@dataclass(frozen=True)
class Arrow:
    """One message, from `x1` to `x2`; `is_own`: to its sender itself."""

    y: int
    x1: int
    x2: int
    name: str
    when: str
    detail: str
    is_error: bool
    is_answer: bool
    is_own: bool


@dataclass(frozen=True)
class Note:
    """Words across the drawing (`x` None), or over the worker's lifeline."""

    y: int
    text: str
    x: int | None = None
    is_error: bool = False


@dataclass(frozen=True)
class Drawing:
    """All that the template draws."""

    lifelines: list[Lifeline]
    arrows: list[Arrow]
    notes: list[Note]
    width: int
    height: int


def place(messages: Sequence[Message], failed: Collection[AttemptId] = ()) -> Drawing | None:
    """Where everything stands; None where there is nothing to draw, or too much.

    Red, as in flows.md: what went wrong, a refusal, and how the attempts that `failed` were executed and reported.
    """
    if not messages or len(messages) > DRAWN_MAX:
        return None
    used = {participant for message in messages for participant in (message.sender, message.receiver)}
    shown = [participant for participant in Participant if participant in ALWAYS or participant in used]
    at = {participant: LEFT + 84 + index * COLUMN for index, participant in enumerate(shown)}
    attempts = list(dict.fromkeys(message.attempt_id for message in messages if message.attempt_id is not None))
    start = parse_timestamp(messages[0].at)
    arrows: list[Arrow] = []
    notes: list[Note] = []
    y, before = TOP, None
    for message in messages:
        if len(attempts) > 1 and message.attempt_id is not None and message.attempt_id != before:
            notes.append(Note(y, f"attempt {attempts.index(message.attempt_id) + 1}"))
            y += ROW
        if message.name == "jobFinished" and message.sender is Participant.WORKER:
            text = f"Execute Job · {message.detail}" if message.detail else "Execute Job"
            notes.append(Note(y, text, at[Participant.WORKER], is_error=message.attempt_id in failed))
            y += ROW
        since_s = max(0.0, (parse_timestamp(message.at) - start).total_seconds())
        arrows.append(
            Arrow(
                y, at[message.sender], at[message.receiver], message.name, f"+{since_s:.3f} s", message.detail or "",
                _is_red(message, failed), message.name in ANSWERS, message.sender is message.receiver,
            )
        )  # fmt: skip
        y += ROW
        before = message.attempt_id or before
    lifelines = [Lifeline(participant.value, x) for participant, x in at.items()]
    return Drawing(lifelines, arrows, notes, max(at.values()) + 110, y + 8)


def _is_red(message: Message, failed: Collection[AttemptId]) -> bool:
    if message.name == "jobFinished":
        return message.attempt_id in failed
    return message.outcome == "error" or message.name == "refuse job"
