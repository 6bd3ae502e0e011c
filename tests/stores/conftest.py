"""The Job service's store on SQLite, met through its port, with its file at hand to put rows into any state."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rota.storage.sqlite.database import Database
from rota.storage.sqlite.jobs import SqliteJobs
from stores.bench import Bench


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    database = Database(tmp_path / "rota.db", "jobs")
    database.start()
    yield Bench(database, SqliteJobs(database))
    database.stop()
