"""Celery + Redis: prefork, two processes, a large prefetch, nothing said to other workers."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from measured import PROCESSES, WITHIN_S, children, program, redis, serve

WORKER = [
    program("celery"), "-A", "celery_tasks", "worker", "--pool", "prefork", "--concurrency", str(PROCESSES),
    "--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "warning",
]  # fmt: skip

with redis(Path(sys.argv[1])) as url:
    os.environ["ROTA_PEER_URL"] = url
    from celery_tasks import app, job

    def many(count: int) -> Sequence[object]:
        """Submit, and read every result."""
        with app.producer_pool.acquire(block=True) as producer:
            results = [job.apply_async(producer=producer) for _ in range(count)]
        return [result.get(timeout=WITHIN_S) for result in results]

    with children(WORKER):
        serve(many)
