"""Reads, each from a connection of its thread; they never wait for the writer (WAL)."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import apsw

from rota.storage.sqlite.writer import connect

T = TypeVar("T")


class Reader:
    """Short reads on the caller's thread, long ones on a few that only read."""

    def __init__(self, path: Path, threads: int = 3) -> None:
        self._path = path
        self._local = threading.local()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=f"reader {path.name}")

    def look(self, question: Callable[[apsw.Connection], T]) -> T:
        """What the question returned, from one consistent view of the database. Blocks.

        For a few rows by their key: they are there before another thread could be told of it.
        """
        connection: apsw.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = connect(self._path, readonly=True)
        connection.execute("BEGIN")  # one transaction: several statements see the same moment
        try:
            return question(connection)
        finally:
            connection.execute("COMMIT")

    async def run(self, question: Callable[[apsw.Connection], T]) -> T:
        """The same for what may be long: many rows, or large ones. The event loop goes on meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self.look, question)

    def stop(self) -> None:
        """Finish what runs, come back. Blocks."""
        self._pool.shutdown()
        connection: apsw.Connection | None = self._local.__dict__.pop("connection", None)
        if connection is not None:
            connection.close()
