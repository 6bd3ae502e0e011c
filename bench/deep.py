"""Data folders with many queued jobs, written through the store itself: over HTTP a million would take minutes more."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from rota.protocol.ids import JobId
from rota.protocol.placement import QueueKey
from rota.protocol.spec import Spec
from rota.protocol.wire import timestamp
from rota.storage.sqlite.database import Database
from rota.storage.sqlite.jobs import SqliteJobs
from rota.storage.stores.jobs import NewJob
from rota.world import SystemWorld
from scene import TRUE, house, starting_server

KEPT = "ROTA_BENCH_DEEP"
"""A variable: the folder in which what was filled is kept for the next question of the same run."""
BATCH = 10_000
NAMES, SITES = 1000, 10
"""Each name is had by one job in 1,000, each tag by one in 10."""


class Queue(NamedTuple):
    """So many queued jobs, of so many submitters, in so many priorities."""

    jobs: int
    submitters: int = 1
    priorities: int = 1


@contextmanager
def deep_server(queue: Queue) -> Iterator[house.Server]:
    """A server on data with such a queue."""
    with tempfile.TemporaryDirectory(prefix="rota-bench-deep-") as own:
        data = Path(os.environ.get(KEPT, own)) / f"queued-{queue.jobs}-{queue.submitters}-{queue.priorities}"
        if not (data / "filled").exists():
            shutil.rmtree(data, ignore_errors=True)
            with starting_server(data):  # makes the environment and the keys
                pass
            asyncio.run(_fill(data / "rota.db", queue))
            (data / "filled").touch()
        with starting_server(data) as server:
            yield server


async def _fill(path: Path, queue: Queue) -> None:
    database, world = Database(path, "jobs"), SystemWorld()
    database.start()
    try:
        store, key = SqliteJobs(database), QueueKey("default", "process", {})
        specs = [
            Spec(
                command=[TRUE],
                name=f"nightly-{number}",
                tags={"site": f"s{number % SITES}"},
                priority=number % queue.priorities,
            )
            for number in range(NAMES)
        ]
        for first in range(0, queue.jobs, BATCH):
            now = timestamp(datetime.now(UTC))
            jobs = [
                NewJob(
                    JobId(world.new_id()), specs[number % NAMES], key, now, f"bench-{number % queue.submitters}", None
                )
                for number in range(first, min(first + BATCH, queue.jobs))
            ]
            await store.submit(jobs, None)
    finally:
        database.stop()
