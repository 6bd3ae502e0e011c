"""What an idle Rota takes: resident memory of each process, and the server's CPU time."""

import time

from scene import options, scene
from spent import rss_mb, shepherd_of, spent


def measure(seconds: int) -> list[dict[str, str]]:
    """Two rows of the table, after a few jobs have run."""
    with scene(slots=4) as here:
        processes = (here.server.process.pid, here.worker.process.pid, shepherd_of(here))
        before = spent(here)
        time.sleep(seconds)
        after = spent(here)
        server, agent, shepherd = map(rss_mb, processes)
    parts = {who: 100 * (after[who] - before[who]) / seconds for who in ("server", "agent", "shepherd")}
    return [
        {
            "question": "memory idle: server; worker (agent + shepherd)",
            "measured": f"**{server:.0f}** MB; **{agent + shepherd:.0f}** MB",
            "numbers": f"RSS; agent {agent:.0f} MB, shepherd {shepherd:.0f} MB; pages that they share count twice",
        },
        {
            "question": "CPU idle, one worker asking, % of a core",
            "measured": f"server **{parts['server']:.1f}**",
            "numbers": f"agent {parts['agent']:.1f}, shepherd {parts['shepherd']:.1f}; over {seconds} s",
        },
    ]


if __name__ == "__main__":
    for row in measure(options(seconds=20).seconds):
        print(row)
