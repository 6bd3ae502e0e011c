"""Refusals in a row, as deeds for the writer: counted, told, and where the spec has a rule for them, decided on."""

import apsw

from rota.protocol.ids import AttemptId, JobId
from rota.protocol.states import JobState
from rota.storage.sqlite.rows import first
from rota.storage.statements import load
from rota.storage.stores.jobs import Outcome

SQL = load(__package__, "retries.sql")

TOLD_FROM = 10
"""From so many refusals in a row on, the job says so."""


def refused(connection: apsw.Connection, attempt: AttemptId, job: JobId, why: str) -> Outcome | None:
    """Count it; what it did, where the scheduler is asked what follows. None: the job goes back to its place."""
    connection.execute(SQL["refused"], {"job": job, "why": why, "told_from": TOLD_FROM})
    if first(connection, SQL["has_rule"], {"job": job}) is None:
        return None
    asked = first(connection, SQL["ask"], {"attempt": attempt, "job": job})
    return None if asked is None else Outcome(job, JobState.WAITING)
