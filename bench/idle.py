"""What an idle Rota takes: resident memory of each process, and the server's CPU time."""

import argparse
import time

import question
from scene import scene
from spent import pss_mb, rss_mb, shepherd_of, spent
from table import Answer, Bar, Figure, Row

FULL = {"seconds": 20, "rounds": 5}
QUICK = {"seconds": 4, "rounds": 1}
BARS = {"server": Bar("≤", 80), "worker": Bar("≤", 45)}


def measure(asked: argparse.Namespace) -> Answer:
    """Two rows, after a few jobs have run."""
    memory: dict[str, list[float]] = {name: [] for name in BARS}
    cpu: list[float] = []
    numbers = ""
    for _ in range(asked.rounds):
        with scene(slots=4) as here:
            server, agent, shepherd = here.server.process.pid, here.worker.process.pid, shepherd_of(here)
            before = spent(here)
            time.sleep(asked.seconds)
            after = spent(here)
            memory["server"].append(rss_mb(server))
            memory["worker"].append(rss_mb(agent) + rss_mb(shepherd))
            numbers = (
                f"RSS; the worker is two processes: agent {rss_mb(agent):.0f} MB, shepherd {rss_mb(shepherd):.0f} MB, "
                f"pages that they share count twice; PSS: server {pss_mb(server):.0f} MB, "
                f"worker {pss_mb(agent) + pss_mb(shepherd):.0f} MB"
            )
        cpu.append(100 * (after["server"] - before["server"]) / asked.seconds)
    figures = [Figure(values, BARS[name], name, "MB") for name, values in memory.items()]
    return Answer([
        Row("memory idle: server, worker", figures, numbers),
        Row("CPU idle, one worker asking", [Figure(cpu, name="server", unit="% of a core")], f"over {asked.seconds} s"),
    ])  # fmt: skip


if __name__ == "__main__":
    question.main(measure, FULL, QUICK)
