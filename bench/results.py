"""`make bench`: measure everything, and write bench/RESULTS.md."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import apsw

import idle
import latency
import submit
import throughput

HERE = Path(__file__).resolve().parent
PACKAGES = ("aiohttp", "apsw", "msgspec", "starlette", "uvicorn", "uvloop")
BARS = {
    "64 slots": "≥ 0.75", "4 slots": "≥ 0.4", "1 slots": "≥ 0.15", "idle worker": "≤ 5 and ≤ 12",
    "in one request": "≤ 1 s", "memory idle": "≤ 80 MB; ≤ 45 MB", "CPU idle": "≤ 3",
}  # fmt: skip
NOT_SHOWN = """
## What this does not show
- The bars of 64, 4 and 1 slots are meant for 5,000 jobs; fewer are run here, so the ends of a run weigh more.
- Peers (Celery, dramatiq, HyperQueue and so on) are not measured here, nor the spawn limit of a program in C.
- Many workers, a deep queue, large logs and artifacts, PostgreSQL, TLS, a network: all is on one machine, on loopback.
- Server, worker, jobs and the measuring client share the machine's cores; on more cores than these the ratio differs.
- The limit is sampled right before and after each round, since it moves: read ratios, not jobs/s, across runs.
- /bin/true prints nothing and leaves no file: jobs that do cost more.
"""


def main() -> None:
    """Every question, one after the other; a line each as it is answered."""
    rows: list[dict[str, str]] = []
    for slots, jobs in ((64, 2000), (32, 2000), (4, 600), (1, 200)):
        rows.append(throughput.measure(jobs, slots, rounds=5))
        print(rows[-1], flush=True)
    rows.append(latency.measure(300))
    rows.append(submit.measure(10_000, 5))
    rows += idle.measure(20)
    lines = ["# Measured", "", *_machine(), "", "| question | measured | bar | numbers |", "| --- | --- | --- | --- |"]
    lines += [f"| {row['question']} | {row['measured']} | {_bar(row)} | {row['numbers']} |" for row in rows]
    (HERE / "RESULTS.md").write_text("\n".join(lines) + "\n" + NOT_SHOWN)


def _bar(row: dict[str, str]) -> str:
    return next((bar for words, bar in BARS.items() if f" {words}" in f" {row['question']}"), "")


def _machine() -> list[str]:
    info = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in info if line.startswith("model name")), "unknown")
    commit = subprocess.run(
        ["git", "log", "-1", "--format=%h %cs"], cwd=HERE, capture_output=True, text=True, check=True
    )
    changed = subprocess.run(
        ["git", "status", "--porcelain", "../src"], cwd=HERE, capture_output=True, text=True, check=True
    )
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    return [
        f"- Commit {commit.stdout.strip()}{', with changes that are not committed' if changed.stdout else ''}.",
        f"- {os.cpu_count()} cores ({model}), Linux {platform.release().partition('-')[0]}, "
        f"Python {platform.python_version()}, SQLite {apsw.sqlite_lib_version()} with `synchronous=FULL`; "
        f"load at the end {load}.",
        "- " + ", ".join(f"{name} {version(name)}" for name in PACKAGES) + ".",
        "- Each is median (least to greatest, n rounds).",
        "- A load well above the cores' number means that others used the machine meanwhile.",
    ]


if __name__ == "__main__":
    main()
