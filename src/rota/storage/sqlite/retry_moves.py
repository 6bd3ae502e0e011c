"""What another try changes of a job, as deeds for the writer: counts, demand, and its time in the queue."""

from datetime import timedelta
from typing import Any

import apsw
import msgspec

from rota.protocol.decide import Decision, Ended
from rota.protocol.ids import JobId
from rota.protocol.job_finished import Result
from rota.protocol.placement import QueueKey
from rota.protocol.spec import Spec
from rota.protocol.states import AttemptState, JobState
from rota.protocol.wire import encode, parse_timestamp, timestamp
from rota.storage.sqlite.gate import key_of
from rota.storage.sqlite.placement import queue_key
from rota.storage.sqlite.refusals import SQL
from rota.storage.sqlite.rows import every, only

_spec = msgspec.json.Decoder(Spec)
_result = msgspec.json.Decoder(Result)
_counts = msgspec.json.Decoder(list[int])


def ended(row: tuple[Any, ...]) -> Ended:
    """What the scheduler is told of a row of `undecided`."""
    job, attempt, state, spec, result, tries, losses, attempt_state, worker, refusals, by_rule, cancel, overdue = row
    return Ended(
        job, attempt, JobState(state), _spec.decode(spec), None if result is None else _result.decode(result),
        tries, losses, None if attempt_state is None else AttemptState(attempt_state), worker, refusals,
        _counts.decode(by_rule or "[]"), None, bool(cancel), bool(overdue),
    )  # fmt: skip


def next_try(connection: apsw.Connection, decision: Decision) -> QueueKey | None:
    """Note what the decision changes before the next try; returns the demand where that is another one."""
    row = only(connection, SQL["asked_for"], {"job": decision.job_id})
    expires_at, text, number, attempt, by_rule, moved = row
    is_other = decision.requires is not None or decision.resources is not None
    if expires_at is None and decision.rule is None and not is_other:
        return None
    spec = _spec.decode(text)
    if expires_at is not None and spec.queue_timeout_s is not None and attempt != AttemptState.REFUSED:
        # It was executed meanwhile: its time in the queue begins anew, with the sweep that finds it there.
        connection.execute(SQL["expires_anew"], {"job": decision.job_id})
    key = None
    if is_other:
        before = key_of(connection, number)
        requires = before.requires if decision.requires is None else {**spec.requires, **decision.requires}
        resources = before.resources if decision.resources is None else {**spec.resources, **decision.resources}
        key = msgspec.structs.replace(before, requires=requires, resources=resources)
        connection.execute(SQL["queue_key"], {"key": queue_key(connection, key), "job": decision.job_id})
    if decision.rule is not None or key is not None:
        counts = _counted(_counts.decode(by_rule or "[]"), decision.rule)
        noted = {
            "job": decision.job_id,
            "by_rule": encode(counts).decode(),
            "moved": int(bool(moved) or key is not None),
        }
        connection.execute(SQL["by_rule"], noted)
    return key


def run_again(connection: apsw.Connection, job: JobId) -> None:
    """A person runs it again: tries and rules count from here, and it asks for what its spec asks for."""
    _, text, number, _, _, moved = only(connection, SQL["asked_for"], {"job": job})
    if moved:
        spec = _spec.decode(text)
        key = msgspec.structs.replace(key_of(connection, number), requires=spec.requires, resources=spec.resources)
        connection.execute(SQL["queue_key"], {"key": queue_key(connection, key), "job": job})
    connection.execute(SQL["run_again"], {"job": job})


def shorten_pauses(connection: apsw.Connection, now: str) -> None:
    """No pause before a try is longer than it was said to be, though the wall clock was set back meanwhile."""
    for job, pause_s in every(connection, SQL["pauses"], {"now": now}):
        ready_at = timestamp(parse_timestamp(now) + timedelta(seconds=pause_s))
        connection.execute(SQL["shorten_pause"], {"job": job, "ready_at": ready_at})


def _counted(counts: list[int], rule: int | None) -> list[int]:
    if rule is None:
        return counts
    counts = counts + [0] * (rule + 1 - len(counts))
    counts[rule] += 1
    return counts
