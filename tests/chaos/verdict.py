"""What must be true after the storm. Each question answers with what is wrong: nothing, if all is well."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import apsw

from chaos import job, ledger
from chaos.participants import command_line, pids
from chaos.storm import Storm, left_on_disk
from house import Json

LOSSES_MAX = 3
"""Attempts of a job that may be lost before it is `lost`, counted anew with each retry."""


def one_result(jobs: Sequence[Json], ids: Sequence[str]) -> Iterator[str]:
    """Every job that was submitted, and no other, has exactly one accepted result, and it is the last attempt's."""
    if sorted(one["id"] for one in jobs) != sorted(ids):
        yield f"{len(ids)} jobs were submitted, {len(jobs)} are there"
    for one in jobs:
        states = [attempt["state"] for attempt in one["attempts"]]
        result = one["result"] or {}
        if (one["state"], one["verdict"], result.get("exit_code")) != ("finished", "succeeded", 0):
            yield f"job {one['id']} is {one['state']}, {one['verdict']}: {result}"
        elif states.count("finished") != 1 or states[-1] != "finished" or set(states) & {"assigned", "running"}:
            yield f"job {one['id']} has attempts {states}"


def executed_as_recorded(jobs: Sequence[Json], found: ledger.Ledger, acknowledged: set[str]) -> Iterator[str]:
    """Results are of whole executions; what was refused was never executed; all that was executed was acknowledged."""
    state_of = {attempt["attempt_id"]: attempt["state"] for one in jobs for attempt in one["attempts"]}
    for attempt, execution in found.executions.items():
        state = state_of.get(attempt)
        if state is None or state == "refused":
            yield f"attempt {attempt} was executed, and is {state}"
        if attempt not in acknowledged:
            yield f"attempt {attempt} was executed without an acknowledgement"
        if state == "finished" and execution.ended_ns is None:
            yield f"attempt {attempt} has a result, and did not come to its end"
    for attempt in found.twice:
        yield f"attempt {attempt} was executed twice"
    for attempt, state in state_of.items():
        if state == "finished" and attempt not in found.executions:
            yield f"attempt {attempt} has a result, and was not executed"


def tries(jobs: Sequence[Json], retries: Mapping[str, int]) -> Iterator[str]:
    """No job was tried more often than it may be."""
    for one in jobs:
        most = LOSSES_MAX * (1 + retries.get(one["id"], 0))
        last = one["attempts"][-1]["number"]
        if last > most:
            yield f"job {one['id']} came to try {last} of {most}"


def outputs(storm: Storm, ids: Sequence[str]) -> Iterator[str]:
    """Every log and every artifact is byte for byte what the job wrote."""
    for number, one in enumerate(ids):
        if storm.get("GET", f"/api/v1/jobs/{one}/log").content != job.output(number, "log"):
            yield f"the log of job {number}, {one}, is not what it wrote"
        [listed] = storm.ask("GET", f"/api/v1/jobs/{one}/artifacts")["artifacts"]
        content = storm.get("GET", f"/api/v1/jobs/{one}/artifacts/{job.ARTIFACT}").content
        if content != job.output(number, "artifact") or listed["size_bytes"] != len(content):
            yield f"the artifact of job {number}, {one}, is not what it wrote"


def ended_by_themselves(storm: Storm) -> Iterator[str]:
    """Nobody ended but who was killed."""
    for one in (*storm.servers, *storm.workers):
        if one.ends:
            yield f"{one.name} ended by itself, with {one.ends}"


def left_over(folder: Path) -> Iterator[str]:
    """No process, no folder of a job and no report is left."""
    ours = (b"\0rota\0", b"rota.worker.shepherd", job.__file__.encode())
    for pid in pids():
        line = command_line(pid)
        if str(folder).encode() in line and any(word in line for word in ours):
            yield f"process {pid} is left: {line!r}"
    yield from (f"{file} is left" for file in left_on_disk(folder))


def acknowledged(folder: Path) -> set[str]:
    """The attempts that the registry permitted, as recorded."""
    connection = apsw.Connection(str(folder / "data" / "registry.db"))
    try:
        return {str(row[0]) for row in connection.execute("SELECT attempt_id FROM acknowledgement")}
    finally:
        connection.close()


def attempts(jobs: Sequence[Json]) -> Counter[str]:
    """How many attempts there are in each state."""
    return Counter(attempt["state"] for one in jobs for attempt in one["attempts"])
