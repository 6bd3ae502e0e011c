"""The files that a job is given: sent along, or brought by other jobs. Parts of an array share those of the array."""

import apsw

from rota.protocol.ids import AttemptId, JobId
from rota.protocol.spec import Input
from rota.storage.sqlite.cancel_moves import SQL as JOBS
from rota.storage.sqlite.need_moves import SQL as NEEDS
from rota.storage.sqlite.need_moves import value_of
from rota.storage.sqlite.rows import every, first, only
from rota.storage.stores.jobs import Output


def inputs_of(connection: apsw.Connection, job: JobId) -> list[Input]:
    """As an offer names them, by path."""
    owner = {"job": only(connection, JOBS["inputs_of"], {"job": job})[0]}
    rows = every(connection, JOBS["inputs"], owner) + every(connection, NEEDS["referenced"], owner)
    return [Input(*row) for row in sorted(rows)]


def input_of(connection: apsw.Connection, job: JobId, path: str) -> Output | None:
    """One of them: its bytes, or whose output they are. Large ones stay where they are."""
    owner = only(connection, JOBS["inputs_of"], {"job": job})[0]
    asked = {"job": owner, "path": path}
    sent = first(connection, JOBS["input"], asked)
    if sent is not None:
        return Output(AttemptId(""), path, len(sent[0]), sent[1], sent[0])
    found = first(connection, NEEDS["reference"], asked)
    if found is None:
        return None
    attempt, source_path, size_bytes, sha256 = found
    if source_path is None:
        content = value_of(only(connection, NEEDS["reference_result"], {"attempt": attempt})[0])
        return Output(attempt, "", size_bytes, sha256, content)
    [content] = only(connection, NEEDS["reference_content"], {"attempt": attempt, "path": source_path})
    return Output(attempt, source_path, size_bytes, sha256, content)
