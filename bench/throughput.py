"""How many jobs a second one worker does, as a part of what `xargs -P2 -n1 /bin/true` does in the same minute."""

import statistics

from scene import options, run_jobs, scene, spread, xargs_rate


def measure(jobs: int, slots: int, rounds: int, *, is_told: bool = False) -> dict[str, str]:
    """A row of the table: jobs/s, xargs/s right before and after, and their ratio."""
    rates, limits, ratios = [], [], []
    with scene(slots) as here:
        limit = xargs_rate(jobs)
        for _ in range(rounds):
            before = limit
            rates.append(jobs / run_jobs(here.client, jobs))
            limit = xargs_rate(jobs)
            limits.append((before + limit) / 2)
            ratios.append(rates[-1] / limits[-1])
            if is_told:
                print(
                    f"{rates[-1]:.0f} jobs/s, xargs {before:.0f} and {limit:.0f}/s, ratio {ratios[-1]:.3f}", flush=True
                )
    return {
        "question": f"{jobs:,} x /bin/true, {slots} slots, ÷ `xargs -P2 -n1 /bin/true`",
        "measured": f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f} to {max(ratios):.2f}, n={rounds})",
        "numbers": f"{spread(rates, '.0f')} jobs/s; xargs {spread(limits, '.0f')}/s",
    }


if __name__ == "__main__":
    asked = options(jobs=2000, slots=32, rounds=5)
    print(measure(asked.jobs, asked.slots, asked.rounds, is_told=True))
