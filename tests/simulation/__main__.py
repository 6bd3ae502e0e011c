"""`make sim`: many seeds; `make sim ARGS="--seed N"`: one of them again, and a drawing of how it went wrong."""

import argparse
import sys
import time
from pathlib import Path

import click

from simulation.scene import simulate
from simulation.seeds import Found, explore
from simulation.trace import about, drawn, plantuml

SEEDS = 10_000
TOLD_EVERY_S = 5.0


def main() -> int:
    """The exit code: 1 where an invariant did not hold."""
    options = _options()
    if options.seed is not None:
        return _replay(options.seed, options.plantuml, is_whole=options.all)
    return _explore(options.first, options.seeds, options.processes)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many (10000)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (0)")
    parser.add_argument("--processes", type=int, default=None, help="at the same time (as many as there are cores)")
    parser.add_argument("--seed", type=int, default=None, help="replay this one alone")
    parser.add_argument("--all", action="store_true", help="with --seed: every message, not only its job's")
    parser.add_argument(
        "--plantuml", type=Path, default=None, help="with --seed: the diagram for PlantUML, into a file"
    )
    return parser.parse_args()


def _replay(seed: int, diagram: Path | None, *, is_whole: bool) -> int:
    outcome = simulate(seed)
    notes = outcome.notes if is_whole else about(outcome.notes, outcome.ids)
    if diagram is not None:
        diagram.write_text(plantuml(notes), encoding="utf-8")
    if is_whole:
        _say("\n".join(noted.line() for noted in outcome.notes))
    elif outcome.violation is not None:
        _say("\n".join(drawn(notes)))
    _say(
        f"seed {seed}: {outcome.jobs} jobs, {outcome.executions} executions, {len(outcome.notes)} notes, "
        f"{outcome.simulated_s:.1f} simulated seconds"
    )
    if outcome.violation is None:
        _say("every invariant held")
        return 0
    _say(f"{outcome.violation}")
    return 1


def _explore(first: int, count: int, processes: int | None) -> int:
    began = told_at = time.monotonic()
    done: list[Found] = []
    bad: list[Found] = []
    for found in explore(first, count, processes):
        done.append(found)
        if found.invariant is not None:
            bad.append(found)
            _say(f"seed {found.seed}: {found.invariant}: {found.text}")
        if time.monotonic() - told_at > TOLD_EVERY_S:
            told_at = time.monotonic()
            left_s = (told_at - began) / len(done) * (count - len(done))
            _say(f"  {len(done):,} of {count:,} seeds, {len(bad)} failed, about {left_s:.0f} s left")
    cpu_s, hours = sum(one.cpu_s for one in done) / len(done), sum(one.simulated_s for one in done) / 3600
    took_s = time.monotonic() - began
    _say(f"{len(done):,} seeds in {took_s:.0f} s, {cpu_s:.3f} s of a core each; {hours:,.0f} simulated hours,")
    _say(
        f"{sum(one.jobs for one in done):,} jobs, {sum(one.executions for one in done):,} executions, "
        f"{sum(one.messages for one in done):,} notes"
    )
    if not bad:
        _say("every invariant held")
        return 0
    _say(f"{len(bad)} failed; see how: " + "   ".join(f'make sim ARGS="--seed {one.seed}"' for one in bad[:3]))
    return 1


def _say(line: str) -> None:
    sys.stdout.write((line if sys.stdout.isatty() else click.unstyle(line)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
