"""States of a job and of an attempt, and the table of moves. Source: protocol.md, "States of a job"."""

from enum import Enum, StrEnum, unique


class JobState(StrEnum):
    """In the order in which a job meets them."""

    WAITING = "waiting"  # for needs, a time, a seat; or for the scheduler's word after a lost attempt
    QUEUED = "queued"  # the next fitting worker that asks is given it
    ASSIGNED = "assigned"  # leased to a worker that has not yet shown that it runs
    RUNNING = "running"  # its worker sent a first heartbeat or log byte
    FINISHED = "finished"  # its result is durable, whatever the exit code
    CANCELLED = "cancelled"  # somebody stopped it, before or while it ran
    EXPIRED = "expired"  # no worker took it within queue_timeout_s, or before its deadline
    LOST = "lost"  # its worker vanished and no try is left


ENDED = frozenset({JobState.FINISHED, JobState.CANCELLED, JobState.EXPIRED, JobState.LOST})
"""States that only a person's retry leaves, and, before there is a verdict, the scheduler's word."""


class AttemptState(StrEnum):
    """In the order in which an attempt meets them."""

    ASSIGNED = "assigned"  # leased
    RUNNING = "running"  # first heartbeat or log byte came
    FINISHED = "finished"  # its result is the job's
    REFUSED = "refused"  # given back unstarted; does not count as a try
    CANCELLED = "cancelled"  # stopped on demand
    LOST = "lost"  # its lease ran out, or its worker no longer answers for it
    DETACHED = "detached"  # kept through a partition: its lease ran out, and nobody else gets the job yet


HELD = frozenset({AttemptState.ASSIGNED, AttemptState.RUNNING, AttemptState.DETACHED})
"""States in which a worker holds the attempt."""


class Verdict(StrEnum):
    """The scheduler's word on a job that has ended; null while undecided."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"


_ASSIGNED_OR_RUNNING = {JobState.ASSIGNED, JobState.RUNNING}


@unique
class Move(Enum):
    """What can happen to a job: the message that causes it, the states it may leave, the one it enters.

    Every move of a held job also names the attempt; a statement that finds no row changes nothing.
    """

    ASSIGN = ("getJobForWorker", {JobState.QUEUED}, JobState.ASSIGNED)
    REFUSE = ("refuse job", {JobState.ASSIGNED}, JobState.QUEUED)
    ASK = ("refuse job, for which its spec has a rule", {JobState.ASSIGNED}, JobState.WAITING)
    START = ("heartbeat", {JobState.ASSIGNED}, JobState.RUNNING)
    FINISH = ("jobFinished", _ASSIGNED_OR_RUNNING, JobState.FINISHED)
    STOP = ("jobFinished, cancelled", _ASSIGNED_OR_RUNNING, JobState.CANCELLED)
    ABANDON = ("cancelled, and its lease ran out under `keep`", {JobState.RUNNING}, JobState.CANCELLED)
    LAPSE = ("lease ran out unacknowledged", {JobState.ASSIGNED}, JobState.QUEUED)
    LOSE = ("lease ran out", {JobState.ASSIGNED, JobState.RUNNING}, JobState.WAITING)
    CANCEL = ("cancel", {JobState.WAITING, JobState.QUEUED}, JobState.CANCELLED)
    RETIRE = ("its environment is retired", {JobState.WAITING, JobState.QUEUED}, JobState.CANCELLED)
    SKIP = ("a need cannot be met, or an input is not there", {JobState.WAITING}, JobState.CANCELLED)
    CANCEL_PARTS = ("cancel of an array", {JobState.WAITING, JobState.QUEUED}, JobState.CANCELLED)
    CLOSE = ("verdict on the last part", {JobState.WAITING}, JobState.FINISHED)
    CLOSE_CANCELLED = ("verdict on the last part, cancelled", {JobState.WAITING}, JobState.CANCELLED)
    REOPEN = ("retry of parts", {JobState.WAITING, JobState.FINISHED, JobState.CANCELLED}, JobState.WAITING)
    EXPIRE = ("queue timeout", {JobState.QUEUED}, JobState.EXPIRED)
    OVERDUE = ("deadline", {JobState.WAITING, JobState.QUEUED}, JobState.EXPIRED)
    RELEASE = ("nothing holds it back any more", {JobState.WAITING}, JobState.QUEUED)
    TRY_AGAIN = ("the scheduler tries again", {JobState.WAITING, JobState.FINISHED}, JobState.WAITING)
    GIVE_UP = ("the scheduler gives up", {JobState.WAITING}, JobState.LOST)
    RETRY = ("retry", set(ENDED), JobState.WAITING)

    def __init__(self, message: str, leaves: set[JobState], enters: JobState) -> None:
        self.message, self.leaves, self.enters = message, frozenset(leaves), enters
