"""Counting at the claim reads what it must and no more. Source: architecture.md, "The claim must not scan"."""

import re
from contextlib import closing
from importlib import resources
from pathlib import Path

import apsw
import pytest

from rota.protocol.conditions import Condition
from rota.protocol.ids import AttemptId, JobId
from rota.protocol.placement import QueueKey
from rota.protocol.spec import Spec
from rota.storage.sqlite.database import Database
from rota.storage.sqlite.jobs import SqliteJobs
from rota.storage.sqlite.placement import SQL, Choice
from rota.storage.sqlite.writer import connect
from rota.storage.stores.claims import Claim
from stores.bench import ANNA, KEY, NOW, ONE, WORLD, Bench

LARGE = QueueKey("default", "process", {}, {}, {"cpus": 8})
SMALL = QueueKey("default", "process", {}, {}, {"cpus": 1})


async def claim_of(bench: Bench, slots: int, cpus: float) -> Claim:
    """What a worker asks that offers so many CPUs."""
    keys = {number: key for number, key in (await bench.store.queue_keys()).items() if key.resources}
    asks = {number: key.resources for number, key in keys.items()}
    attempts = [AttemptId(WORLD.new_id()) for _ in range(slots)]
    return Claim(ANNA, ONE, None, list(keys), attempts, NOW, NOW, asks, {"cpus": cpus})


def steps(connection: apsw.Connection, claim: Claim) -> tuple[int, list[JobId]]:
    """What choosing costs, in steps of SQLite's own machine, and who is chosen."""
    count = 0

    def step() -> bool:
        nonlocal count
        count += 1
        return False

    connection.set_progress_handler(step, 1)
    try:
        choice = Choice(connection, claim)
        choice.make()
    finally:
        connection.set_progress_handler(None, 0)
    return count, [job.job_id for job in choice.jobs]


async def measured(bench: Bench, claim: Claim) -> tuple[int, list[JobId]]:
    """The same, where the database is written."""
    return await bench.database.writer.run(lambda connection: steps(connection, claim))


@pytest.mark.parametrize("spread", ["one-class", "fifty-priorities"])
@pytest.mark.parametrize("fitting", [0, 1])
async def test_what_is_passed_over_is_not_read(bench: Bench, spread: str, fitting: int) -> None:
    """Neither where none of them fits, nor where the first ones do."""
    small = await bench.submit(*[Spec(command=["a"], priority=-1)] * 4, key=SMALL)
    costs = []
    for depth in (100, 3_000):
        specs = [Spec(command=["a"], priority=n % 50 if spread == "fifty-priorities" else 0) for n in range(depth)]
        await bench.submit(*specs, key=LARGE)
        claim = await claim_of(bench, 4, 4 + 8 * fitting)
        await measured(bench, claim)  # the first time notes whom it passes over
        cost, chosen = await measured(bench, claim)
        assert chosen[fitting:] == small[: 4 - fitting]
        costs.append(cost)

    assert costs[1] <= costs[0] * 1.2


async def test_a_claim_that_asks_for_no_resources_counts_nothing(bench: Bench) -> None:
    await bench.submit(*[Spec(command=["a"])] * 10)
    [key] = await bench.store.queue_keys()
    claim = Claim(ANNA, ONE, None, [key], [AttemptId("a")], NOW, NOW)
    read: list[str] = []

    def trace(_: object, sql: str, __: object) -> bool:
        read.append(sql)
        return True

    def choose(connection: apsw.Connection) -> list[JobId]:
        connection.set_exec_trace(trace)
        try:
            choice = Choice(connection, claim)
            choice.make()
        finally:
            connection.set_exec_trace(None)
        return [job.job_id for job in choice.jobs]

    assert len(await bench.database.writer.run(choose)) == 1
    assert not set(read) & set(SQL.values())


@pytest.mark.parametrize("statement", SQL)
async def test_no_statement_of_placement_reads_a_whole_table(bench: Bench, statement: str) -> None:
    values = dict.fromkeys(re.findall(r":(\w+)", SQL[statement]))

    for row in await bench.rows(f"EXPLAIN QUERY PLAN {SQL[statement]}", **values):
        assert not row[3].startswith("SCAN") or "job_reserved" in row[3], row[3]


async def test_equal_demands_are_one_queue_and_come_back_as_they_were(bench: Bench) -> None:
    wanted = QueueKey(
        "default", "process", {"cuda": Condition(ge="12", not_=Condition(eq=13)), "gpu": ["a", "b"], "os": "linux"},
        {"site": "lab"}, {"gpus": 1, "cpus": 0.5},
    )  # fmt: skip
    turned = {label: wanted.requires[label] for label in sorted(wanted.requires, reverse=True)}
    same = QueueKey("default", "process", turned, {"site": "lab"}, {"cpus": 0.5, "gpus": 1.0})

    await bench.submit(Spec(command=["a"]), key=wanted)
    await bench.submit(Spec(command=["a"]), key=same)

    [found] = (await bench.store.queue_keys()).values()
    assert found == wanted


async def test_the_demands_of_an_older_database_are_read_and_shared(tmp_path: Path) -> None:
    steps = resources.files("rota.storage.sqlite").joinpath("migrations", "jobs").iterdir()
    before = [step for step in sorted(steps, key=lambda step: step.name) if step.name < "0005"]
    with closing(connect(tmp_path / "rota.db")) as connection:
        for step in before:
            connection.execute(step.read_text())
        insert = "INSERT INTO queue_key (environment, executor, requires) VALUES ('default', 'process', ?)"
        connection.execute(insert, ('{"gpu":"a\\"100","ünï":"ö"}',))
        connection.execute(insert, ("{}",))
        connection.pragma("user_version", len(before))

    database = Database(tmp_path / "rota.db", "jobs")
    database.start()
    try:
        bench = Bench(database, SqliteJobs(database))
        labelled = QueueKey("default", "process", {"ünï": "ö", "gpu": 'a"100'})
        await bench.submit(Spec(command=["a"]), key=labelled)
        await bench.submit(Spec(command=["a"]))
        assert await bench.store.queue_keys() == {1: labelled, 2: KEY}
    finally:
        database.stop()
