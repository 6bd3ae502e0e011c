"""Two checkouts side by side in the same minutes: `compare.py OLD NEW`, round by round, in turns.

Both servers and workers run all the time, one idle while the other is measured.
"""

import argparse
import os
import statistics
from contextlib import ExitStack
from pathlib import Path

from limit import xargs_rate
from scene import Scene, run_jobs, scene
from spent import spent
from table import told as spread


def main() -> None:
    """Print each round, and the medians."""
    parser = argparse.ArgumentParser()
    parser.add_argument("checkouts", nargs=2, type=Path)
    for name, value in {"jobs": 2000, "slots": 32, "rounds": 5}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    asked = parser.parse_args()
    with ExitStack() as stack:
        scenes = []
        for checkout in asked.checkouts:
            os.environ["PYTHONPATH"] = str(checkout.resolve() / "src")
            scenes.append(stack.enter_context(scene(asked.slots)))
        ratios: list[list[float]] = [[], []]
        costs: list[list[dict[str, float]]] = [[], []]
        limit = xargs_rate(asked.jobs)
        for number in range(asked.rounds * 2):
            which = (number + number // 2) % 2  # old new new old: a drift meets both alike
            rate, cost = _round(scenes[which], asked.jobs)
            before, limit = limit, xargs_rate(asked.jobs)
            ratios[which].append(rate / ((before + limit) / 2))
            costs[which].append(cost)
            told = "  ".join(f"{who} {ms:.2f}" for who, ms in cost.items())
            print(f"{('old', 'new')[which]}: {rate:5.0f} jobs/s  xargs {before:.0f} {limit:.0f}  "
                  f"ratio {ratios[which][-1]:.3f}  CPU ms a job: {told}", flush=True)  # fmt: skip
    for name, found, cost_rows in zip(("old", "new"), ratios, costs, strict=True):
        medians = {who: statistics.median(row[who] for row in cost_rows) for who in cost_rows[0]}
        told = ", ".join(f"{who} {ms:.2f}" for who, ms in medians.items())
        print(f"{name}: ratio {spread(found)}; CPU ms a job: {told}")


def _round(here: Scene, jobs: int) -> tuple[float, dict[str, float]]:
    before = spent(here)
    rate = jobs / run_jobs(here.client, jobs)
    after = spent(here)
    return rate, {who: (after[who] - before[who]) / jobs * 1000 for who in after}


if __name__ == "__main__":
    main()
