"""A fake server and a real worker for each test."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from small_disk import mounted
from worker.fake_server import FakeServer
from worker.rig import MakeWorker, WorkerProcess


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    fake = FakeServer()
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
def make_worker(server: FakeServer, tmp_path: Path) -> Iterator[MakeWorker]:
    """Workers with these options, not yet started; ended with the test."""
    made: list[WorkerProcess] = []

    def make(name: str = "w", **options: object) -> WorkerProcess:
        made.append(WorkerProcess(server, tmp_path / name, name=name, **options))
        return made[-1]

    yield make
    for worker in made:
        worker.end()


@pytest.fixture
def worker(make_worker: MakeWorker) -> WorkerProcess:
    """A worker that runs, with two slots."""
    return make_worker().start()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Two megabytes."""
    with mounted(tmp_path / "small", size_bytes=2 * 1024 * 1024) as folder:
        yield folder
