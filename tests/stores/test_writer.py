"""Group commit: many deeds, one commit, each answered for itself. Source: architecture.md; guarantees.md, G1, F35."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from rota.protocol.problems import Conflict, NotFound, Unavailable
from rota.storage.sqlite.database import Database, migrate
from rota.storage.sqlite.writer import Writer, connect

SYNCHRONOUS_FULL = 2
"""As SQLite says it."""


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[Writer]:
    made = Writer(tmp_path / "deeds.db")
    made.start()
    await made.run(lambda c: c.execute("CREATE TABLE deed (n INTEGER PRIMARY KEY) STRICT").fetchall())
    yield made
    made.stop()


def insert(connection: apsw.Connection, number: int) -> int:
    connection.execute("INSERT INTO deed VALUES (?)", (number,))
    return number


def synced(connection: apsw.Connection) -> bool:
    """Whether the transaction that this is part of waits for the disk."""
    return bool(connection.pragma("synchronous") == SYNCHRONOUS_FULL)


async def test_only_what_need_not_outlive_the_machine_does_not_wait_for_the_disk(writer: Writer) -> None:
    before = await writer.note(synced)
    alone = await writer.run(synced)
    go_on = threading.Event()
    held = asyncio.ensure_future(writer.run(lambda _: go_on.wait()))
    together = [asyncio.ensure_future(ask(synced)) for ask in (writer.note, writer.run, writer.note)]
    asyncio.get_running_loop().call_soon(go_on.set)  # all of them wait by then
    await held

    assert (before, alone) == (False, True)
    assert await asyncio.gather(*together) == [True, True, True]  # the one that must be on disk takes the others along
    assert not await writer.note(synced)


async def numbers(writer: Writer) -> list[int]:
    rows: list[tuple[Any, ...]] = await asked(writer, "SELECT n FROM deed ORDER BY n")
    return [row[0] for row in rows]


async def asked(writer: Writer, sql: str) -> list[tuple[Any, ...]]:
    return await writer.run(lambda c: c.execute(sql).fetchall())


async def test_one_deed_that_fails_does_not_spoil_the_batch(writer: Writer) -> None:
    def half_done(connection: apsw.Connection) -> int:
        insert(connection, 1000)
        raise NotFound("not that one")

    def broken(connection: apsw.Connection) -> int:
        insert(connection, 2000)
        raise ZeroDivisionError

    deeds = [writer.run(lambda c, n=n: insert(c, n)) for n in range(20)]  # type: ignore[misc]
    deeds[7:7] = [writer.run(half_done)]
    deeds[13:13] = [writer.run(broken), writer.run(lambda c: insert(c, 3))]
    answers = await asyncio.gather(*deeds, return_exceptions=True)

    assert isinstance(answers.pop(7), NotFound)
    assert isinstance(answers.pop(12), ZeroDivisionError)
    assert isinstance(answers.pop(12), Conflict)
    assert answers == list(range(20))
    assert await numbers(writer) == list(range(20))


async def test_what_waits_together_is_one_commit(writer: Writer, tmp_path: Path) -> None:
    commits = 0

    def count() -> bool:
        nonlocal commits
        commits += 1
        return False

    await writer.run(lambda c: c.set_commit_hook(count))
    before = commits

    await asyncio.gather(*(writer.run(lambda c, n=n: insert(c, n)) for n in range(500)))  # type: ignore[misc]

    assert commits - before < 50
    assert len(await numbers(writer)) == 500


async def test_an_answer_means_that_it_is_on_disk(writer: Writer, tmp_path: Path) -> None:
    await writer.run(lambda c: insert(c, 1))

    other = connect(tmp_path / "deeds.db", readonly=True)
    with contextlib.closing(other):
        assert other.execute("SELECT n FROM deed").get == 1
    assert await asked(writer, "PRAGMA synchronous") == [(2,)]
    assert await asked(writer, "PRAGMA journal_mode") == [("wal",)]


async def test_a_caller_that_has_gone_changes_nothing_for_the_others(writer: Writer) -> None:
    gone = asyncio.ensure_future(writer.run(lambda c: insert(c, 1)))
    staying = asyncio.ensure_future(writer.run(lambda c: insert(c, 2)))
    gone.cancel()

    assert await staying == 2


async def test_a_full_disk_is_told_and_nothing_is_half_there(writer: Writer) -> None:
    def large(connection: apsw.Connection) -> None:
        insert(connection, 10)
        connection.execute("CREATE TABLE large AS SELECT zeroblob(10000000) AS content")

    await writer.run(lambda c: insert(c, 1))
    [(pages,)] = await asked(writer, "PRAGMA page_count")
    await asked(writer, f"PRAGMA max_page_count = {pages + 2}")

    with pytest.raises(Unavailable):
        await writer.run(large)

    await asked(writer, "PRAGMA max_page_count = 1000000")
    await writer.run(lambda c: insert(c, 2))
    assert await numbers(writer) == [1, 2]


async def test_a_database_that_another_program_holds_is_told_and_goes_on_when_it_lets_go(
    writer: Writer, tmp_path: Path
) -> None:
    """Source: guarantees.md, F52."""
    await writer.run(lambda c: c.set_busy_timeout(50))
    with contextlib.closing(connect(tmp_path / "deeds.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="Another program"):
            await writer.run(lambda c: insert(c, 1))
        other.execute("ROLLBACK")

    await writer.run(lambda c: insert(c, 2))

    assert await numbers(writer) == [2]


def test_one_process_at_a_time_and_one_schema_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "rota.db"
    Database(path, "jobs")

    with pytest.raises(Conflict, match="Another server"):
        Database(path, "jobs")
    assert migrate(tmp_path / "other.db", "jobs") > 0
    assert migrate(tmp_path / "other.db", "jobs") == 0

    newer = connect(tmp_path / "other.db")
    with contextlib.closing(newer):
        newer.pragma("user_version", 999)
    with pytest.raises(Conflict, match="newer Rota"):
        migrate(tmp_path / "other.db", "jobs")
    assert (path.stat().st_mode & 0o777) == 0o600
