"""One job under the shepherd: what it is, when it must be dealt with next, and how its end is told."""

import os
import signal
from dataclasses import dataclass, field
from time import CLOCK_BOOTTIME, clock_gettime, time

from rota.worker.shepherd.log import Log
from rota.worker.shepherd.messages import LEASE, MACHINE, Ended, Running, Start
from rota.worker.shepherd.process import NotStarted

NOTICE_MAX = 1 / 10
"""The most of what is left of a lease that a job's grace may take: it could be renewed meanwhile."""
LEFTOVERS_S_MAX = 10.0
"""How long an end waits for processes that do not die (uninterruptible in the kernel)."""


def now() -> float:
    """Seconds that go on through a suspend, as the lease on the server does."""
    return clock_gettime(CLOCK_BOOTTIME)


@dataclass(frozen=True)
class Exit:
    """What the kernel said of the main process."""

    status: int
    user_s: float
    system_s: float
    max_rss_bytes: int
    at: float = field(default_factory=now)
    wall_at: float = field(default_factory=time)


@dataclass
class Job:
    """A job that has, or had, a process. `stopped_as` is the reason of our own stop, before the process ended."""

    start: Start
    tag: int
    pid: int
    pidfd: int
    log: Log
    deadline: float
    began: float = field(default_factory=now)
    began_wall: float = field(default_factory=time)
    stopped_as: str | None = None
    kill_at: float | None = None
    exit: Exit | None = None
    notice_s: float = 0.0

    def __post_init__(self) -> None:
        self._give_notice()

    def extend(self, deadline: float) -> None:
        """The lease was renewed; it is never shortened by news that come late."""
        if deadline > self.deadline:
            self.deadline = deadline
            self._give_notice()

    @property
    def warn_at(self) -> float:
        """When it is told to stop, so that it is gone at its deadline."""
        return self.deadline - self.notice_s

    def alarm_at(self) -> float:
        """When it must be dealt with, unless its process ends before."""
        if self.kill_at is not None and self.is_unwanted:
            return self.kill_at
        if self.kill_at is not None:
            return min(self.kill_at, self.deadline)
        if self.stopped_as is not None:
            return self.deadline
        timed_out_at = float("inf") if self.start.timeout_s is None else self.began + self.start.timeout_s
        return min(timed_out_at, self.warn_at)

    def collect(self) -> None:
        """Take what the ended process leaves: its status, and the output that is still in the pipe."""
        _, status, used = os.wait4(self.pid, 0)
        self.exit = Exit(status, used.ru_utime, used.ru_stime, used.ru_maxrss * 1024)
        self.log.drain()
        self.log.close()
        os.close(self.pidfd)

    def running(self) -> Running:
        """As told to an agent that connects."""
        return Running(self.start.attempt_id, self.start.note, self.log.size_bytes)

    def ended(self, *, out_of_memory: bool) -> Ended:
        """As told when nothing of it is left."""
        end = self.exit
        if end is None:
            raise AssertionError("a job is told as ended after its process was collected")
        killed_by = os.WTERMSIG(end.status) if os.WIFSIGNALED(end.status) else None
        reason = self.stopped_as or ("exited" if killed_by is None else "signaled")
        message = None
        if reason == "signaled" and killed_by == signal.SIGKILL and out_of_memory:
            reason, message = (
                "out_of_memory",
                "The kernel killed it for want of memory.",
            )
        elif reason == "timed_out":
            message = f"Stopped after timeout_s ({self.start.timeout_s:g} s)."
        return Ended(
            attempt_id=self.start.attempt_id, note=self.start.note, reason=reason, message=message,
            exit_code=os.waitstatus_to_exitcode(end.status) if killed_by is None else None,
            signal=None if killed_by is None else signal_name(killed_by),
            started_at=self.began_wall, finished_at=end.wall_at, wall_s=max(0.0, end.at - self.began),
            user_s=end.user_s, system_s=end.system_s, max_rss_bytes=end.max_rss_bytes,
            log_size_bytes=self.log.size_bytes, log_problem=self.log.problem,
        )  # fmt: skip

    def _give_notice(self) -> None:
        self.notice_s = min(self.start.grace_s, max(0.0, (self.deadline - now()) * NOTICE_MAX))

    @property
    def is_unwanted(self) -> bool:
        """Whether nobody waits for its result."""
        return self.stopped_as == LEASE


def not_started(start: Start, error: NotStarted) -> Ended:
    """The end of a job whose process could not be made."""
    return _without_process(start, MACHINE if error.is_of_machine else "not_started", str(error), error.exit_code)


def too_late(start: Start) -> Ended:
    """The end of a job whose lease was over before its process was made."""
    return _without_process(start, LEASE, "its lease was over before it could be started", None)


def _without_process(start: Start, reason: str, message: str, exit_code: int | None) -> Ended:
    return Ended(
        attempt_id=start.attempt_id, note=start.note, reason=reason, message=message,
        exit_code=exit_code, signal=None, started_at=None, finished_at=time(), wall_s=0, user_s=0, system_s=0,
        max_rss_bytes=0, log_size_bytes=0, log_problem=None,
    )  # fmt: skip


def signal_name(number: int) -> str:
    """`SIGKILL`; a real-time signal that has no name of its own counts from SIGRTMIN."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"
