"""Dramatiq + Redis: two processes of four threads, results kept."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from measured import PROCESSES, WITHIN_S, children, program, redis, serve

WORKER = [program("dramatiq"), "dramatiq_tasks", "--processes", str(PROCESSES), "--threads", "4"]

with redis(Path(sys.argv[1])) as url:
    os.environ["ROTA_PEER_URL"] = url
    import dramatiq_tasks

    def many(count: int) -> Sequence[object]:
        """Submit, and read every result."""
        sent = [dramatiq_tasks.job.send() for _ in range(count)]
        return [message.get_result(block=True, timeout=WITHIN_S * 1000) for message in sent]

    with children(WORKER):
        serve(many)
