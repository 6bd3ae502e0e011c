"""The storm from beginning to end, and what is to be told of it."""

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from chaos import ledger, verdict
from chaos.storm import Storm, Wanted, storm

CALM_WITHIN_S = 300


@dataclass
class Told:
    """Counts, a line each; and what is wrong."""

    lines: list[str]
    wrong: list[str]


def play(folder: Path, wanted: Wanted) -> Told:
    """Storm, calm, and the questions."""
    began = time.monotonic()
    with storm(folder, wanted) as raging:
        ids = raging.submit()
        raging.rage()
        raged_s = time.monotonic() - began
        raging.calm(CALM_WITHIN_S + wanted.jobs / 5)
        calmed_s = time.monotonic() - began - raged_s
        jobs = raging.jobs()
        wrong = [*verdict.one_result(jobs, ids), *verdict.outputs(raging, ids), *verdict.tries(jobs, raging.retries)]
        wrong += verdict.ended_by_themselves(raging)
    found = ledger.read(folder / "ledger")
    wrong += verdict.executed_as_recorded(jobs, found, verdict.acknowledged(folder))
    judged = ledger.judge(
        found,
        {worker.name: worker.frozen for worker in raging.workers},
        {worker.name: worker.unguarded for worker in raging.workers},
    )
    wrong += [*judged.wrong, *verdict.left_over(folder)]
    counts = _counts(raging, verdict.attempts(jobs), found, judged)
    lines = [f"seed {wanted.seed}: {wanted.jobs} jobs, {wanted.workers} workers of {wanted.slots} slots"]
    lines += [f"{count:7}  {what}" for what, count in counts.items()]
    lines.append(f"{raged_s:.0f} s of storm, {calmed_s:.0f} s until the last job had ended")
    return Told(lines, wrong)


def _counts(raging: Storm, attempts: Counter[str], found: ledger.Ledger, judged: ledger.Judged) -> dict[str, int]:
    wires: Counter[str] = sum((wire.counts for wire in raging.wires.values()), Counter())
    return {
        **{what: raging.counts[what] for what in sorted(raging.counts)},
        **{f"messages: {what}": wires[what] for what in sorted(wires)},
        **{f"attempts: {state}": attempts[state] for state in sorted(attempts)},
        "executions": len(found.executions),
        "executions that were killed": sum(one.ended_ns is None for one in found.executions.values()),
        "overlaps": len(judged.wrong),
        "overlaps, not promised: a frozen machine woke": judged.frozen,
        "overlaps, not promised: the shepherd was killed": judged.unguarded,
    }
