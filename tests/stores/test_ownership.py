"""Whose table is whose: the statements of an owner touch its own tables and no other's. Source: architecture.md."""

import re
from importlib import resources
from pathlib import Path

import pytest

from rota.storage.sqlite.database import migrate
from rota.storage.sqlite.writer import connect
from rota.storage.statements import load

PACKAGE = "rota.storage.sqlite"
OWNERS = {
    "jobs.sql": {
        "job",
        "job_tag",
        "job_input",
        "submission",
        "attempt",
        "output",
        "queue_clock",
        "queue_key",
        "turn",
        "submitter",
        "need",
        "job_reference",
        "group_start",
        "group_alarm",
        "schedule",
        "retried",
    },
    "event_log.sql": {"event", "event_log"},
    "webhooks.sql": {"webhook", "delivery", "routed"},
    "environments.sql": {"environment", "credential", "signing_key"},
    "workers.sql": {"worker", "acknowledgement"},
    "tallies.sql": {"tally", "depth"},
}
LOOKED_AFTER = dict.fromkeys(
    (
        "upkeep.sql",
        "gate.sql",
        "turns.sql",
        "placement.sql",
        "needs.sql",
        "arrays.sql",
        "schedules.sql",
        "retries.sql",
        "deadlines.sql",
        "standings.sql",
    ),
    "jobs.sql",
)
"""Statements that look after another file's tables."""
COUNTED = {
    "tallies.sql": OWNERS["jobs.sql"],
    "event_log.sql": {"job", "attempt", "webhook", "routed"},
    "webhooks.sql": {"event"},
}
"""Tables of others that an owner's statements read, and do not write."""
NAMED = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE)\s+(?!SET\b|json_each\b)(\w+)", re.IGNORECASE)
WRITTEN = re.compile(r"\b(?:INTO|UPDATE|DELETE FROM)\s+(?!SET\b)(\w+)", re.IGNORECASE)
OF_ITS_OWN = re.compile(r"\bWITH RECURSIVE (\w+)")
"""What a statement calls a table for as long as it runs."""


def tables(schema: str) -> set[str]:
    """The tables that the migrations of a schema make."""
    folder = resources.files(PACKAGE).joinpath("migrations", schema)
    text = "".join(step.read_text() for step in folder.iterdir() if step.name.endswith(".sql"))
    return set(re.findall(r"CREATE TABLE (\w+)", text))


def test_every_table_has_one_owner() -> None:
    owned = [table for names in OWNERS.values() for table in names]

    assert len(owned) == len(set(owned))
    assert set(owned) == tables("jobs") | tables("registry")
    assert OWNERS["workers.sql"] == tables("registry")


@pytest.mark.parametrize("file", [*OWNERS, *LOOKED_AFTER])
def test_an_owners_statements_touch_its_own_tables_only(file: str) -> None:
    for name, statement in load(PACKAGE, file).items():
        text = re.sub(r"--.*", "", statement)
        own = OWNERS[LOOKED_AFTER.get(file, file)]
        assert set(NAMED.findall(text)) - set(OF_ITS_OWN.findall(text)) <= own | COUNTED.get(file, set()), name
        assert set(WRITTEN.findall(text)) <= own, name


@pytest.mark.parametrize(
    ("file", "schema"),
    [*((file, "registry" if file == "workers.sql" else "jobs") for file in (*OWNERS, *LOOKED_AFTER))],
)
def test_every_statement_is_one_that_sqlite_takes_and_is_used(file: str, schema: str, tmp_path: Path) -> None:
    migrate(tmp_path / "x.db", schema)
    connection = connect(tmp_path / "x.db")
    sources = "".join(path.read_text() for path in _python())
    for name, statement in load(PACKAGE, file).items():
        values = dict.fromkeys(re.findall(r":(\w+)", statement))
        in_order = [None] * statement.count("?")
        connection.execute(f"EXPLAIN {statement}", in_order or values).fetchall()
        assert f'"{name}"' in sources, name
    connection.close()


def _python() -> list[Path]:
    with resources.as_file(resources.files(PACKAGE)) as folder:
        return list(folder.glob("*.py"))
