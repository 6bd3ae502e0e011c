"""How many jobs a second go through server and protocol when a job costs nothing: a no-op worker, no process a job."""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import question
from limit import between, spawn_limit, xargs_rate
from scene import ENROLMENT, house, run_jobs, starting_server
from spent import cpu_s
from table import Answer, Bar, Figure, Row, told

FULL = {"jobs": 10_000, "slots": 500, "workers": 2, "rounds": 5}
QUICK = {"rounds": 3}
WORKER = Path(__file__).resolve().parent / "no_op_worker.py"


@contextmanager
def no_op_worker(server: house.Server, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """One process of no_op_worker.py, ready; ended by its process id."""
    command = [
        sys.executable,
        str(WORKER),
        server.url.removeprefix("http://"),
        "--token",
        server.token(ENROLMENT),
        *options,
    ]
    worker = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"ready\n"
        yield worker
    finally:
        worker.terminate()
        worker.wait(10)


def measure(asked: argparse.Namespace) -> Answer:
    """A row: jobs/s ÷ the bare spawn limit in C (xargs where there is no compiler), sampled before and after."""
    limit = spawn_limit() or xargs_rate
    with starting_server() as server, server.client() as client:
        options = [f"--slots={asked.slots}", f"--workers={asked.workers}"]
        with no_op_worker(server, *options) as worker:
            run_jobs(client, asked.jobs // 4)
            pids = {"server": server.process.pid, "worker": worker.pid}
            before = {who: cpu_s(pid) for who, pid in pids.items()}
            rounds = between([limit], 3000, lambda: asked.jobs / run_jobs(client, asked.jobs), asked.rounds)
            done = asked.jobs * asked.rounds
            cpu = [f"{who} {(cpu_s(pid) - before[who]) / done * 1e6:.0f}" for who, pid in pids.items()]
    name = "xargs, as there is no compiler" if limit is xargs_rate else "in C"
    rates = f"{told([one.rate for one in rounds])} jobs/s; the limit {name} {told([one.limits[0] for one in rounds])}/s"
    row = Row(
        f"{asked.jobs:,} jobs that start no process (a no-op worker of bench/), ÷ the spawn limit",
        [Figure([one.ratio for one in rounds], Bar("≥", 6))],
        f"{rates}; with the submission; CPU µs a job: {', '.join(cpu)}",
    )
    return Answer([row])


if __name__ == "__main__":
    question.main(measure, FULL, QUICK)
