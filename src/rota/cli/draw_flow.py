"""A job's flow as a sequence diagram in characters: lifelines, arrows, and in red what went wrong. Source: flows.md."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import click

from rota.cli.output import BAD
from rota.cli.terminal import printable
from rota.protocol.flow import Message, Participant
from rota.protocol.wire import parse_timestamp

LIFELINE, LINE, ANSWER_LINE = "│", "─", "╌"
ANSWERS = frozenset(
    {"returnJobForWorker", "returnJob", "status received", "jobFinishedReceived", "refuse accepted", "verdict"}
)
ALWAYS = (Participant.REGISTRY, Participant.WORKER, Participant.GATEWAY, Participant.JOB)
TIME_WIDTH = 10
GAP_MIN = 10
EXECUTES = "Execute Job"


@dataclass(frozen=True)
class Columns:
    """Where each participant's lifeline stands."""

    at: dict[Participant, int]

    @property
    def width(self) -> int:
        """Of the whole drawing."""
        last = max(self.at, key=lambda participant: self.at[participant])
        return self.at[last] + len(last.value) // 2 + 1


def draw(messages: Sequence[Message], width: int | None = None) -> Iterator[str]:
    """The lines; where the drawing is wider than `width`, one line of words a message instead."""
    if not messages:
        yield "No message yet: no worker has been given this job."
        return
    columns = place(messages)
    if width is not None and columns.width > width:
        yield from tell(messages)
        return
    yield names(columns)
    start = parse_timestamp(messages[0].at)
    attempts = list(dict.fromkeys(message.attempt_id for message in messages if message.attempt_id is not None))
    before: Message | None = None
    for message in messages:
        if len(attempts) > 1 and message.attempt_id and (before is None or before.attempt_id != message.attempt_id):
            yield note(columns, f" attempt {attempts.index(message.attempt_id) + 1} ")
        if message.name == "jobFinished" and message.sender is Participant.WORKER:
            yield box(columns, message)
        yield line(columns, message, since(message, start))
        if message.outcome == "error" and message.detail:
            yield click.style(f"{'':{TIME_WIDTH}}{printable(message.detail)}", fg="red")
        before = message
    yield bare(columns)


def place(messages: Sequence[Message]) -> Columns:
    """Lifelines far enough apart for every name and every label between them."""
    used = {participant for message in messages for participant in (message.sender, message.receiver)}
    shown = [participant for participant in Participant if participant in ALWAYS or participant in used]
    at = {shown[0]: TIME_WIDTH + len(shown[0].value) // 2}
    for left, right in pairwise(shown):
        labels = [label(m) for m in messages if {m.sender, m.receiver} in ({left, right}, {left})]
        widest = max((len(text) + 5 for text in labels), default=GAP_MIN)
        at[right] = at[left] + max(widest, GAP_MIN, (len(left.value) + len(right.value)) // 2 + 2)
    return Columns(at)


def names(columns: Columns) -> str:
    """The participants, each over its lifeline."""
    row = [" "] * (columns.width + TIME_WIDTH)
    for participant, at in columns.at.items():
        begin = at - len(participant.value) // 2
        row[begin : begin + len(participant.value)] = participant.value
    return click.style("".join(row).rstrip(), bold=True)


def lifelines(columns: Columns) -> list[str]:
    """A row in which nothing happens."""
    row = [" "] * (columns.width + TIME_WIDTH)
    for at in columns.at.values():
        row[at] = LIFELINE
    return row


def bare(columns: Columns) -> str:
    """The same as text."""
    return "".join(lifelines(columns)).rstrip()


def note(columns: Columns, text: str) -> str:
    """Words across the drawing."""
    begin = min(columns.at.values())
    width = max(columns.at.values()) - begin + 1
    return " " * begin + click.style(text.center(width, LINE), dim=True)


def box(columns: Columns, message: Message) -> str:
    """What the worker does between the messages: over its lifeline, as in flows.md."""
    row = lifelines(columns)
    text = f" {EXECUTES} "
    begin = columns.at[Participant.WORKER] - len(text) // 2
    row[begin : begin + len(text)] = text
    said = f"  {printable(message.detail)}" if message.detail else ""
    after = "".join(row[begin + len(text) :]).rstrip()
    return "".join(row[:begin]) + click.style(text, reverse=True) + after + click.style(said, dim=True)


def line(columns: Columns, message: Message, when: str) -> str:
    """One arrow between two lifelines, its label on it."""
    row = lifelines(columns)
    row[: len(when)] = when
    here, there = columns.at[message.sender], columns.at[message.receiver]
    if here == there:
        text = f"─┐ {label(message)}"
        row += [" "] * len(text)
        row[here + 1 : here + 1 + len(text)] = text
        begin, end = here + 1, here + 1 + len(text)
    else:
        begin, end = min(here, there) + 1, max(here, there)
        dash = ANSWER_LINE if message.name in ANSWERS else LINE
        arrow = f" {label(message)} ".center(end - begin, dash)
        arrow = arrow[:-1] + "▶" if there > here else "◀" + arrow[1:]
        row[begin:end] = arrow
    drawn = "".join(row[begin:end])
    drawn = click.style(drawn, fg="red") if message.outcome == "error" else drawn
    return (
        click.style("".join(row[:TIME_WIDTH]), dim=True)
        + "".join(row[TIME_WIDTH:begin])
        + drawn
        + "".join(row[end:]).rstrip()
    )


def tell(messages: Sequence[Message]) -> Iterator[str]:
    """A message a line, in words, for narrow terminals."""
    start = parse_timestamp(messages[0].at)
    for message in messages:
        detail = f"  {printable(message.detail)}" if message.detail else ""
        words = f"{since(message, start):{TIME_WIDTH}}{message.sender} → {message.receiver}: {label(message)}{detail}"
        yield click.style(words, fg="red") if message.outcome == "error" else words


def label(message: Message) -> str:
    """Its name; an error is marked, not only coloured."""
    name = printable(message.name)
    if message.name == "verdict" and message.detail:
        name = f"{name}: {printable(message.detail)}"
    return f"{BAD} {name}" if message.outcome == "error" else name


def since(message: Message, start: datetime) -> str:
    """`+0.012 s` after the first message."""
    return f"+{max(0.0, (parse_timestamp(message.at) - start).total_seconds()):.3f} s"
