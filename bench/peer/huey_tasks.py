"""Huey's task, and the queue as its workers import it: SQLite, each commit on disk."""

import os

from huey import SqliteHuey
from measured import run_command

huey = SqliteHuey("rota-peer", filename=os.environ["ROTA_PEER_URL"], fsync=True, journal_mode="wal")


@huey.task()  # type: ignore[untyped-decorator]
def job() -> list[int | str]:
    """One job."""
    return run_command()
