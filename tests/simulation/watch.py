"""The invariants, checked where something happens: at each start and end of an execution, answer, commit, forgetting.

Source: guarantees.md, I1 to I8. What a worker or a service believes is never asked: only what was really done.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rota.protocol.heartbeat import Renewed
from rota.protocol.ids import AttemptId
from rota.protocol.job_finished import JobFinishedReceived
from rota.protocol.states import HELD, AttemptState
from rota.protocol.status import Status, WorkerStatus
from rota.worker.shepherd.messages import LEASE, MACHINE, Ended
from simulation.driver import Driver, Violation
from simulation.execution import Execution
from simulation.ledger import Ledger
from simulation.trace import Trace

OVERLAP_S = 1.1
"""What is not promised away where a whole machine is frozen and thawed. Source: what-is-promised.md."""
RENEWABLE_S = 10.0
"""Whoever was answered so short a time before its credential ran out could have renewed it, had it asked."""
ENDED_WITH_RESULT = frozenset({AttemptState.FINISHED, AttemptState.CANCELLED})


@dataclass
class Run:
    """One execution, as it really was."""

    machine: str
    execution: Execution
    end: Ended | None = None
    """As its shepherd tells it; None: it was not there any more to tell."""
    is_cut_off: bool = False
    """The power was cut after it began: of its files chance decides."""

    @property
    def is_wanted(self) -> bool:
        """Whether its end is somebody's to report."""
        return self.end is not None and self.end.reason not in {LEASE, MACHINE}


class Watch:
    """Told of all effects. The first violation stops the run."""

    def __init__(self, driver: Driver, trace: Trace) -> None:
        self.violation: Violation | None = None
        self.ledger = Ledger(self.fail, lambda: driver.now)
        self.runs: dict[str, Run] = {}
        self.running: dict[str, Run] = {}
        """By job."""
        self._frozen: dict[str, Run] = {}
        """By attempt: those that stand still, and those that went on so late that their job is given away."""
        self.server_lost_bytes = False
        """The server's power was cut: what was uploaded and not yet acknowledged may be gone."""
        self.is_recorded: Callable[[str], bool] = lambda _: False
        """Whether the registry has an attempt's acknowledgement on its disk."""
        self.spooled: Callable[[str], list[bytes]] = lambda _: []
        """What a machine's spool would hold after a power cut."""
        self.received: set[str] = set()
        self.shut_out: set[str] = set()
        """Machines whose present worker the registry takes for a former one."""
        self._let_in_at: dict[str, float] = {}
        self._renewals: dict[str, int] = {}
        self._acknowledged: set[tuple[str, str]] = set()
        self._driver, self._trace = driver, trace

    def fail(self, invariant: str, text: str) -> None:
        """It does not hold: the run is over."""
        if self.violation is None:
            self.violation = Violation(invariant, text)
            self._trace.note("watch", f"VIOLATION {self.violation}")
            self._driver.stop()

    def own_error(self, text: str) -> None:
        """A participant met what it did not foresee."""
        self.fail("own error", text)

    def said(self, who: str, line: str) -> None:
        """What a worker tells its person. A traceback there is an error of its own too."""
        self._trace.note(who, f"says: {line.strip()[:300]}")
        if "an error of its own" in line:
            self.own_error(f"{who}: {line}")

    def status_received(self, machine: str, sent_at: float, status: Status) -> None:
        """The answer to a status has come to the worker: the permission for what it names for the first time."""
        if status.status not in {WorkerStatus.WORKING, WorkerStatus.DRAINING}:
            return
        for attempt in status.attempts:
            held = self.ledger.attempts.get(attempt)
            cancelled_at = None if held is None else self.ledger.jobs[held.job].cancelled_at
            is_first = (machine, attempt) not in self._acknowledged
            if is_first and attempt not in self.runs and cancelled_at is not None and cancelled_at < sent_at:
                self.fail("I-4 cancelled is not permitted", f"{machine} may start {attempt}, cancelled before it asked")
            self._acknowledged.add((machine, attempt))

    def let_in(self, machine: str) -> None:
        """The registry has answered a status."""
        self.shut_out.discard(machine)
        self._let_in_at[machine] = self._driver.now

    def renewal(self, machine: str, *, is_answered: bool) -> None:
        """It asks for a fresh credential, or was given one."""
        self._renewals[machine] = 0 if is_answered else self._renewals.get(machine, 0) + 1

    def turned_away(self, machine: str) -> None:
        """The registry no longer takes its credential, which it did not renew in time."""
        self._trace.note(machine, "turned away")
        was_let_in = self._driver.now - self._let_in_at.get(machine, float("-inf")) < RENEWABLE_S
        if was_let_in and self._renewals[machine] <= 1:
            self.fail("I-6 nobody is shut out", f"{machine} did not renew its credential, though the registry answered")

    def execution_begun(self, machine: str, execution: Execution) -> None:
        """A job's process was made."""
        attempt, job = execution.start.attempt_id, execution.job_id
        self._trace.note(machine, f"Execute Job {job} attempt {attempt}")
        if (machine, attempt) not in self._acknowledged:
            self.fail("I-1 no start without acknowledgement", f"{machine} started {attempt}, nothing was received")
        elif not self.is_recorded(attempt):
            self.fail(
                "I-1 no start without acknowledgement", f"{machine} started {attempt}, the registry has no record"
            )
        other = self.running.get(job)
        if other is not None:
            who = f"{other.machine} ({other.execution.start.attempt_id})"
            self.fail("I-2 one execution at a time", f"{machine} started {attempt} of {job}, which runs on {who}")
        if not execution.has_its_input():
            self.fail("I-7 byte for byte", f"{attempt} was started without its input")
        if attempt in self.runs:
            self.fail("I-5 an attempt is executed once", f"{attempt} on {machine} and {self.runs[attempt].machine}")
        self.runs[attempt] = self.running[job] = Run(machine, execution)

    def execution_over(self, machine: str, execution: Execution, how: str) -> None:
        """None of its processes is left."""
        execution.end()
        self._trace.note(machine, f"{execution.start.attempt_id} over: {how}")
        run = self.running.get(execution.job_id)
        if run is not None and run.execution is execution:
            del self.running[execution.job_id]

    def frozen(self, execution: Execution) -> None:
        """It stands still with its machine: as long as that lasts, it does nothing at all."""
        execution.is_frozen = True
        run = self.running.get(execution.job_id)
        if run is not None and run.execution is execution:
            self._frozen[execution.start.attempt_id] = self.running.pop(execution.job_id)

    def thawed(self, execution: Execution, *, is_overdue: bool) -> None:
        """It goes on. One whose time was over meanwhile may do so until the shepherd wakes, beside another."""
        execution.is_frozen = False
        if is_overdue:
            self._driver.after(OVERLAP_S, self._goes_on, execution)
        else:
            self._goes_on(execution)

    def _goes_on(self, execution: Execution) -> None:
        """From here on it counts, unless it is over, or stands still once more."""
        attempt, job = execution.start.attempt_id, execution.job_id
        if execution.is_over or execution.is_frozen or attempt not in self._frozen:
            return
        run, other = self._frozen.pop(attempt), self.running.get(job)
        if other is not None:
            who = f"{other.machine} ({other.execution.start.attempt_id})"
            self.fail("I-2 one execution at a time", f"{run.machine} goes on with {attempt}, {job} runs on {who}")
        self.running[job] = run

    def end_told(self, machine: str, end: Ended) -> None:
        """The shepherd knows how it ended."""
        self._trace.note(machine, f"{end.attempt_id} ended: {end.reason} {end.exit_code}")
        if end.attempt_id in self.runs:
            self.runs[end.attempt_id].end = end

    def forgotten(self, machine: str, attempt: str) -> None:
        """An agent told the shepherd that it need not keep this end. Then it must be safe elsewhere, or unwanted."""
        run = self.runs.get(attempt)
        held = self.ledger.attempts.get(attempt)
        if run is None or not run.is_wanted or held is None or held.state not in HELD:
            return
        if not any(attempt.encode() in spooled for spooled in self.spooled(machine)):
            self.fail("I-3 on disk before it is forgotten", f"{machine} forgot {attempt}, no spool has it")

    def finish_answered(self, machine: str, answer: JobFinishedReceived) -> None:
        """JobFinishedReceived has come to the worker: what it names is durable."""
        for attempt in answer.received:
            held = self.ledger.attempts.get(attempt)
            if held is None or held.state not in ENDED_WITH_RESULT:
                state = None if held is None else held.state
                self.fail("I-3 received is durable", f"{machine} was told that {attempt} is received; it is {state}")
            self.received.add(attempt)
        for rejected in answer.rejected:
            kind = str(rejected.problem.get("type", "")).rpartition("/")[2]
            run = self.runs.get(rejected.attempt_id)
            known = self.ledger.attempts.get(rejected.attempt_id)
            is_recorded = known is not None and known.digest is not None  # as true as this one: both are looked at
            is_excused = is_recorded or (run is not None and run.is_cut_off)
            if kind == "conflict" and not self.server_lost_bytes and not is_excused:
                self.fail("I-7 a true report is taken", f"{rejected.attempt_id}: {rejected.problem.get('detail')}")

    def heartbeat_answered(self, sent_at: float, attempts: Sequence[AttemptId], renewed: Renewed) -> None:
        """The answer to a heartbeat has come to the worker: what was cancelled before it was sent is named."""
        for attempt in attempts:
            held = self.ledger.attempts.get(attempt)
            if held is None or held.state not in HELD or attempt in renewed.cancel or attempt in renewed.lost:
                continue
            cancelled_at = self.ledger.jobs[held.job].cancelled_at
            if cancelled_at is not None and cancelled_at < sent_at:
                self.fail(
                    "I-4 cancelled is told", f"{attempt} of {held.job} was renewed, its worker is not told to stop"
                )

    def submitted(self, jobs: Sequence[str]) -> None:
        """201 has come to the person."""
        for job in jobs:
            if job not in self.ledger.jobs:
                self.fail("I-3 accepted is durable", f"job {job} was answered and is not on disk")

    def power_cut(self, machine: str) -> None:
        """Of what it had not synced, chance decides."""
        for run in self.runs.values():
            if run.machine == machine and run.execution.start.attempt_id not in self.received:
                run.is_cut_off = True

    def check_finish(self, attempt: str) -> None:
        """The recorded result is what really happened."""
        row, run = self.ledger.attempts[attempt], self.runs.get(attempt)
        result = json.loads(row.result or "null") or {}
        if run is None:
            if result.get("reason") not in {"not_started", "cancelled"}:
                self.fail("I-7 the result is true", f"{attempt} never ran, its result is {result}")
            return
        end = run.end
        told = None if end is None else (end.reason, end.exit_code, end.signal)
        if told != (result.get("reason"), result.get("exit_code"), result.get("signal")):
            self.fail("I-7 the result is true", f"{attempt} ended as {told}, recorded is {result}")
