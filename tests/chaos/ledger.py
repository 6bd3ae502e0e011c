"""What the jobs wrote down of their executions, and what must be true of it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from chaos.participants import Span

THAW_S_MAX = 1.0
"""How long after it wakes a frozen machine's guard may take to end its jobs. Source: what-is-promised.md."""
LOOK_S = 1.5
"""How late the chaos itself may be in noting that a shepherd is there again."""


@dataclass
class Execution:
    """One, of one attempt. `ended_ns` None: it was killed."""

    number: int
    attempt: str
    worker: str
    started_ns: int
    ended_ns: int | None = None


class Overlap(NamedTuple):
    """A second execution found the first one's lock held: from when to when (None: it did not live to see the end)."""

    number: int
    holder: str
    second: str
    worker: str
    since_ns: int
    until_ns: int | None


@dataclass
class Ledger:
    """All executions by attempt, and the overlaps."""

    executions: dict[str, Execution]
    overlaps: list[Overlap]
    twice: list[str]

    def of_job(self) -> dict[int, list[Execution]]:
        """The executions of each job, in the order of their starts."""
        found: dict[int, list[Execution]] = defaultdict(list)
        for execution in sorted(self.executions.values(), key=lambda one: one.started_ns):
            found[execution.number].append(execution)
        return found


def read(file: Path) -> Ledger:
    """The ledger as it stands."""
    ledger = Ledger({}, [], [])
    seen: dict[str, tuple[int, str]] = {}
    freed: dict[str, int] = {}
    for line in file.read_text().splitlines():
        at, what, number, attempt, worker, more = line.split()
        if what == "start":
            if attempt in ledger.executions:
                ledger.twice.append(attempt)
            ledger.executions[attempt] = Execution(int(number), attempt, worker, int(at))
        elif what == "end":
            ledger.executions[attempt].ended_ns = int(at)
        elif what == "overlap":
            seen[attempt] = int(at), more
            ledger.overlaps.append(Overlap(int(number), more, attempt, worker, int(at), None))
        elif what == "freed":
            freed[attempt] = int(at)
    ledger.overlaps = [one._replace(until_ns=freed.get(one.second)) for one in ledger.overlaps]
    return ledger


class Judged(NamedTuple):
    """Overlaps by whether and why they may be: `frozen` and `unguarded` are what is not promised."""

    wrong: list[str]
    frozen: int
    unguarded: int


def judge(ledger: Ledger, frozen: Mapping[str, Sequence[Span]], unguarded: Mapping[str, Sequence[Span]]) -> Judged:
    """No two executions of a job at one instant, but for a machine that was frozen, or lost its guard."""
    wrong: list[str] = []
    counts = {"frozen": 0, "unguarded": 0}
    for one in ledger.overlaps:
        first = ledger.executions.get(one.holder)
        worker = first.worker if first else "?"
        # The second does not execute while it is frozen itself, and sees the first one's end only when it wakes.
        asleep_ns = [span.since_ns for span in frozen.get(one.worker, ()) if span.since_ns >= one.since_ns]
        until_ns = min([one.until_ns or one.since_ns, *asleep_ns])
        if any(_is_within(one.since_ns, until_ns, span, THAW_S_MAX) for span in frozen.get(worker, ())):
            counts["frozen"] += 1
        elif any(_is_within(one.since_ns, until_ns, span, LOOK_S) for span in unguarded.get(worker, ())):
            counts["unguarded"] += 1
        else:
            lasted = (
                f"for {(until_ns - one.since_ns) / 1e9:.2f} s"
                if until_ns > one.since_ns
                else "until it was killed itself"
            )
            wrong.append(f"job {one.number}: attempt {one.second} ran while {one.holder} of {worker} did, {lasted}")
    for number, executions in ledger.of_job().items():
        for earlier, later in pairwise(executions):
            if earlier.ended_ns is not None and earlier.ended_ns > later.started_ns:
                wrong.append(f"job {number}: {earlier} and {later} overlap")
    return Judged(wrong, counts["frozen"], counts["unguarded"])


def _is_within(since_ns: int, until_ns: int, span: Span, more_s: float) -> bool:
    end_ns = float("inf") if span.until_ns is None else span.until_ns + more_s * 1e9
    return span.since_ns <= since_ns and until_ns <= end_ns
