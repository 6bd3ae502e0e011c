"""What the Job service's database did, commit by commit: each move of a job or attempt is one that may be made.

SQLite itself keeps the record (temporary triggers), so that no statement of Rota's can pass it by.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import apsw

from rota.protocol.states import ENDED, HELD, AttemptState, JobState, Move

Fail = Callable[[str, str], None]
LOSSES_MAX, LAPSES_MAX = 3, 10
RAN_OUT = "its lease ran out"
"""What docs/reference/states.md promises; not read from the code that is to be checked."""
QUEUE_TIMEOUT_S = 6.0
"""Of jobs that have one."""

_SCRIPT = """
PRAGMA temp_store = MEMORY;
CREATE TEMP TABLE moved (number INTEGER PRIMARY KEY, kind TEXT, id TEXT, before TEXT, row TEXT, a, b, c, d, e);
CREATE TEMP TRIGGER attempt_made AFTER INSERT ON main.attempt BEGIN
  INSERT INTO moved (kind, id, before, row, a, b, c, d)
  VALUES ('attempt', NEW.id, NULL, NEW.state, NEW.job_id, NEW.number, NEW.finish_digest, NEW.result); END;
CREATE TEMP TRIGGER attempt_moved AFTER UPDATE OF state, finish_digest, result, number ON main.attempt BEGIN
  INSERT INTO moved (kind, id, before, row, a, b, c, d)
  VALUES ('attempt', NEW.id, OLD.state, NEW.state, NEW.job_id, NEW.number, NEW.finish_digest, NEW.result); END;
CREATE TEMP TRIGGER job_made AFTER INSERT ON main.job BEGIN
  INSERT INTO moved (kind, id, before, row, a, b, c, d, e)
  VALUES ('job', NEW.id, NULL, NEW.state, NEW.attempt_id, NEW.tries, NEW.losses, NEW.lapses, NEW.verdict); END;
CREATE TEMP TRIGGER job_moved AFTER UPDATE OF state, tries, losses, lapses, verdict, attempt_id ON main.job BEGIN
  INSERT INTO moved (kind, id, before, row, a, b, c, d, e)
  VALUES ('job', NEW.id, OLD.state, NEW.state, NEW.attempt_id, NEW.tries, NEW.losses, NEW.lapses, NEW.verdict); END;
"""

_MOVED = "SELECT kind, id, before, row, a, b, c, d, e FROM moved ORDER BY number"
_ATTEMPT_MOVES = {
    AttemptState.ASSIGNED: {
        AttemptState.RUNNING, AttemptState.REFUSED, AttemptState.FINISHED, AttemptState.CANCELLED, AttemptState.LOST,
    },
    AttemptState.RUNNING: {
        AttemptState.FINISHED, AttemptState.CANCELLED, AttemptState.LOST, AttemptState.DETACHED,
    },
    AttemptState.DETACHED: {
        AttemptState.RUNNING, AttemptState.FINISHED, AttemptState.CANCELLED, AttemptState.LOST,
    },
}  # fmt: skip
_JOB_MOVES = {(leaves, move.enters) for move in Move for leaves in move.leaves}


@dataclass
class AttemptRow:
    """As last committed."""

    job: str
    number: int
    state: AttemptState
    digest: str | None = None
    result: str | None = None
    was_detached: bool = False


@dataclass
class JobRow:
    """As last committed."""

    state: JobState
    attempt: str | None = None
    tries: int = 0
    losses: int = 0
    lapses: int = 0
    verdict: str | None = None
    cancelled_at: float | None = None
    """When a person was told that it is, or will be."""
    may_retry: bool = False
    """A person asks for one more run."""
    runs: int = 0
    """How often a person's retry was granted."""
    since: float = 0.0
    """When it was submitted, or was granted its last retry."""

    @property
    def is_over(self) -> bool:
        """It has ended, and the scheduler said its word."""
        return self.state in ENDED and self.verdict is not None


class Ledger:
    """All jobs and attempts, and every move that brought them there."""

    def __init__(self, fail: Fail, now: Callable[[], float]) -> None:
        self.given: Callable[[str], None] = lambda _: None
        self.ran_out: Callable[[str], None] = lambda _: None
        self.slack_s = 0.01
        """How long a submission may be on its way to the disk."""
        self._now = now
        self.jobs: dict[str, JobRow] = {}
        self.attempts: dict[str, AttemptRow] = {}
        self.finished: Callable[[str], None] = lambda _: None
        self._fail = fail
        self._connection: apsw.Connection

    def keep(self, connection: apsw.Connection) -> None:
        """Record from now on."""
        connection.execute(_SCRIPT)
        self._connection = connection

    def cancelled(self, job: str, runs: int, at: float) -> None:
        """A person was told so; not a word on what was retried since they asked."""
        if self.jobs[job].runs == runs:
            self.jobs[job].cancelled_at = at

    def committed(self) -> None:
        """A commit is done: look at what it did."""
        rows: list[tuple[Any, ...]] = self._connection.execute(_MOVED).fetchall()
        if not rows:
            return
        self._connection.execute("DELETE FROM moved")
        touched: dict[str, None] = {}
        for row in rows:
            touched[self._moved(*row)] = None
        for job in touched:
            self._agree(job)

    def _moved(self, kind: str, one: str, before: str | None, state: str, *row: Any) -> str:  # noqa: ANN401  (columns)
        """Look at one row's move; returns its job."""
        if kind == "attempt":
            self._attempt(one, before, AttemptState(state), row)
            return str(row[0])
        self._job(one, before, JobState(state), row)
        return one

    def _attempt(self, attempt: str, before: str | None, state: AttemptState, row: tuple[Any, ...]) -> None:
        job, number, digest, result, _ = row
        known = self.attempts.get(attempt)
        if before is None or known is None:
            self._new_attempt(attempt, job, number, state)
            return
        if not self._may_move(known, AttemptState(before), state):
            self._fail("I-4 no way back", f"attempt {attempt} went from {before} to {state}")
        if known.digest is not None and (known.digest, known.result) != (digest, result):
            self._fail("I-3 a finish never changes", f"attempt {attempt} has another result than was recorded")
        was_detached = known.was_detached or state is AttemptState.DETACHED
        self.attempts[attempt] = AttemptRow(job, number, state, digest, result, was_detached)
        is_first_end = state is AttemptState.LOST and AttemptState(before) is not AttemptState.DETACHED
        if is_first_end and state != before and self._says(attempt, RAN_OUT):
            self.ran_out(attempt)
        if digest is not None and known.digest is None:
            self.finished(attempt)

    def _may_move(self, known: AttemptRow, before: AttemptState, state: AttemptState) -> bool:
        if state == before or state in _ATTEMPT_MOVES.get(before, set()):
            return True
        # What comes back from a silent worker whose job was cancelled meanwhile is kept with the attempt.
        is_over = self.jobs[known.job].state is JobState.CANCELLED and known.was_detached
        return is_over and (before, state) == (AttemptState.FINISHED, AttemptState.CANCELLED)

    def _says(self, attempt: str, why: str) -> bool:
        [[trace]] = self._connection.execute("SELECT trace FROM attempt WHERE id = ?", (attempt,))
        return str(trace).rstrip().endswith(f'"{why}"}}')

    def _new_attempt(self, attempt: str, job: str, number: int, state: AttemptState) -> None:
        owner = self.jobs[job]
        others = [(one, other) for one, other in self.attempts.items() if other.job == job]
        held = [one for one, other in others if other.state in HELD]
        if held:
            self._fail("I-5 one lease", f"job {job} is given as {attempt} while {held} hold it")
        if number != owner.tries + 1 or any(other.number > number for _, other in others):
            self._fail("I-5 numbers grow", f"attempt {attempt} is number {number} after {owner.tries} tries")
        if owner.cancelled_at is not None:
            self._fail("I-4 cancelled is cancelled", f"job {job} is given to a worker after it was cancelled")
        self.attempts[attempt] = AttemptRow(job, number, state)
        self.given(attempt)

    def _job(self, job: str, before: str | None, state: JobState, row: tuple[Any, ...]) -> None:
        attempt, tries, losses, lapses, verdict = row
        now = JobRow(state, attempt, tries, losses, lapses, verdict, since=self._now())
        known = self.jobs.get(job)
        self.jobs[job] = now
        if before is None or known is None:
            return
        now.cancelled_at, now.may_retry, now.runs = known.cancelled_at, known.may_retry, known.runs
        if JobState(before) not in ENDED or state == before:
            now.since = known.since
        self._check_counts(job, JobState(before), known, now)
        if state != before and (JobState(before), state) not in _JOB_MOVES:
            self._fail("I-4 no way back", f"job {job} went from {before} to {state}")
        if JobState(before) in ENDED and state != before:
            if not known.may_retry:
                self._fail("I-4 no way back", f"job {job} left {before} though nobody asked for a retry")
            now.may_retry, now.cancelled_at = False, None
            now.runs += 1
        elif known.verdict is not None and verdict != known.verdict:
            self._fail("I-3 a verdict never changes", f"job {job}: {known.verdict} became {verdict}")

    def _check_counts(self, job: str, before: JobState, known: JobRow, now: JobRow) -> None:
        """Of tries, and of seconds."""
        tries, losses, lapses = now.tries, now.losses, now.lapses
        waited_s = self._now() - now.since
        if now.state is JobState.EXPIRED and now.state != before and waited_s < QUEUE_TIMEOUT_S - self.slack_s:
            self._fail("I-8 nothing ends early", f"job {job} expired {waited_s:.3f} s after it came")
        if now.state is JobState.QUEUED and tries != known.tries:
            self._fail("I-8 what did not run does not count", f"job {job} is queued after {before} with {tries} tries")
        if tries - known.tries not in {0, 1} or losses > LOSSES_MAX or lapses > LAPSES_MAX:
            self._fail("I-8 no more tries than allowed", f"job {job}: {tries} tries, {losses} lost, {lapses} lapsed")
        if (before, now.state) == (JobState.WAITING, JobState.QUEUED) and losses >= LOSSES_MAX:
            self._fail("I-8 no more tries than allowed", f"job {job} is tried again after {losses} losses")

    def _agree(self, job: str) -> None:
        """A job is held exactly while its present attempt is."""
        owner = self.jobs[job]
        present = None if owner.attempt is None else self.attempts.get(owner.attempt)
        is_held = present is not None and present.state in HELD
        if owner.state is JobState.CANCELLED and present is not None and present.was_detached:
            return  # people need not wait for a machine that may never come back
        if (owner.state in {JobState.ASSIGNED, JobState.RUNNING}) != is_held:
            state = None if present is None else present.state
            self._fail("I-5 job and attempt agree", f"job {job} is {owner.state}, its attempt {owner.attempt} {state}")
