"""A fake server and a real worker for each test."""

import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

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
    if os.geteuid() != 0:
        pytest.skip("needs root: a small file system is mounted")
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
