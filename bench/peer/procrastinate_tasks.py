"""Procrastinate's task and application. It keeps no results, so that the task keeps its own, in the same database."""

import os

import procrastinate
import psycopg
import psycopg_pool
from measured import run_command

URL = os.environ["ROTA_PEER_URL"]
connector = procrastinate.PsycopgConnector if "ROTA_PEER_WORKS" in os.environ else procrastinate.SyncPsycopgConnector
app = procrastinate.App(connector=connector(conninfo=URL))
_pool = psycopg_pool.ConnectionPool(URL, min_size=1, max_size=4, open=False, kwargs={"autocommit": True})


def prepared() -> psycopg.Connection[tuple[object, ...]]:
    """A connection to a database that has the table of results."""
    connection = psycopg.connect(URL, autocommit=True)
    connection.execute("CREATE TABLE IF NOT EXISTS kept (number bigint PRIMARY KEY, code integer, output text)")
    return connection


@app.task(name="job")  # type: ignore[untyped-decorator]
def job(number: int) -> None:
    """One job."""
    code, output = run_command()
    _pool.open()
    with _pool.connection() as connection:
        connection.execute("INSERT INTO kept VALUES (%s, %s, %s)", (number, code, output))
