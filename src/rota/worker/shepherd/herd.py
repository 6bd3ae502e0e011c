"""All jobs of this worker that run: started, extended, stopped and ended. No process of a job outlives its end."""

import os
import select
import signal
from collections.abc import Iterable

from rota.worker.shepherd import tree
from rota.worker.shepherd.job import LEFTOVERS_S_MAX, Job, not_started, now, too_late
from rota.worker.shepherd.log import Log
from rota.worker.shepherd.memory import OutOfMemory
from rota.worker.shepherd.messages import LEASE, Ended, Running, Start
from rota.worker.shepherd.process import NotStarted, is_of_machine, start

CANCELLED, TIMED_OUT = "cancelled", "timed_out"
RETRY_KILL_S = 0.01
NOBODYS = -1
"""The tag of an orphan that cannot be told to be any job's: it is ended, and no job has ended before it."""
TICK_S = 1.0
"""At least so often the clock is read: epoll's own clock stands still while the machine is suspended."""


class Herd:
    """The jobs, by attempt. Their file descriptors are in `poll`; `ended` holds what is to be told."""

    def __init__(self, poll: select.epoll) -> None:
        self.ended: dict[str, Ended] = {}
        self.grown: dict[str, int] = {}
        self.tags = tree.Tags()
        self._poll = poll
        self._jobs: dict[str, Job] = {}
        self._by_fd: dict[int, Job] = {}
        self._ending: dict[str, Job] = {}
        self._memory = OutOfMemory()

    @property
    def is_empty(self) -> bool:
        """Whether nothing runs."""
        return not self._jobs and not self._ending

    def running(self) -> list[Running]:
        """All that run, for an agent that connects; also what is being ended: until it is, it is its worker's."""
        return [job.running() for job in (*self._jobs.values(), *self._ending.values())]

    def start(self, command: Start) -> None:
        """Start a job, or put into `ended` why it could not be."""
        if command.attempt_id in self._jobs or command.attempt_id in self._ending:
            return  # said twice
        if command.deadline <= now():  # an agent that was stopped since the acknowledgement, and goes on
            self.ended[command.attempt_id] = too_late(command)
            return
        try:
            self._keep(command)
        except NotStarted as error:
            self.ended[command.attempt_id] = not_started(command, error)
        except (OSError, ValueError) as error:
            cause = error.strerror if isinstance(error, OSError) else error
            at_fault = isinstance(error, OSError) and is_of_machine(error)
            why = NotStarted(f"the worker could not make a process: {cause}", is_of_machine=at_fault)
            self.ended[command.attempt_id] = not_started(command, why)

    def extend(self, attempts: Iterable[str], deadline: float) -> None:
        """The lease was renewed until `deadline`; a lease is never shortened by news that come late."""
        for job in self._known(attempts):
            job.extend(deadline)

    def stop(self, attempts: Iterable[str], reason: str = CANCELLED) -> None:
        """SIGTERM to all of the job, and SIGKILL when its grace is over."""
        for job in self._known(attempts):
            if job.stopped_as is None:
                job.stopped_as, job.kill_at = reason, min(now() + job.start.grace_s, job.deadline)
                tree.send(self._bearers(job), signal.SIGTERM)
                tree.send(self._bearers(job), signal.SIGCONT)  # one that stands still could not obey

    def kill(self, attempts: Iterable[str]) -> None:
        """SIGKILL to all of the job, whose lease is lost."""
        for job in self._known(attempts):
            job.stopped_as = LEASE
            self._kill(job)

    def on_ready(self, fd: int) -> None:
        """A job wrote, or ended."""
        job = self._by_fd.get(fd)
        if job is None:
            return
        if fd == job.pidfd:
            self._collect(job)
        elif job.log.take():
            self.grown[job.start.attempt_id] = job.log.size_bytes
        elif job.log.is_ended:
            self._poll.unregister(fd)  # it closed its output and runs on
            del self._by_fd[fd]

    def sleep_s(self) -> float:
        """How long nothing needs to be done unless a descriptor wakes us; endless (-1) where nothing runs."""
        if self._ending:
            return RETRY_KILL_S
        if not self._jobs:
            return -1
        soonest = min(job.alarm_at() for job in self._jobs.values())
        return min(TICK_S, max(0.0, soonest - now()))

    def sound_alarms(self) -> None:
        """Deal with the jobs whose time has come."""
        present = now()
        for job in [job for job in self._jobs.values() if job.alarm_at() <= present]:
            if job.deadline <= present:
                job.stopped_as = LEASE
                self._kill(job)
            elif job.kill_at is not None:
                self._kill(job)
            elif job.warn_at <= present:
                self.stop([job.start.attempt_id], LEASE)
            else:
                self.stop([job.start.attempt_id], TIMED_OUT)

    def finish_ending(self) -> None:
        """Tell the ends of jobs of which nothing is left; end what is left of the others."""
        if not self._ending:
            return
        jobs = {job.tag: job for job in (*self._jobs.values(), *self._ending.values())}
        attempts = {job.start.attempt_id: job.tag for job in jobs.values()}
        left = set()
        for pid in tree.orphans({job.pid for job in self._jobs.values()}):
            tag = tree.tag_of(pid)
            owner = tag if tag in jobs else attempts.get(tree.attempt_of(pid), NOBODYS)
            left.add(owner)
            if owner == NOBODYS:
                tree.send([pid], signal.SIGKILL)
        for job in list(self._ending.values()):
            is_clean = NOBODYS not in left and (job.tag not in left or self._kill(job))
            if is_clean or (job.exit is not None and now() - job.exit.at > LEFTOVERS_S_MAX):
                self._tell(job)

    def reap(self) -> None:
        """Take the dead that running jobs left to us."""
        tree.orphans({job.pid for job in self._jobs.values()})

    def _keep(self, command: Start) -> None:
        reading_end, writing_end = os.pipe2(os.O_CLOEXEC)
        try:
            tag = self.tags.next()
            pid = start(command.argv, command.environment, command.folder + "/work", writing_end)
        except BaseException:
            os.close(reading_end)
            raise
        finally:
            os.close(writing_end)
        os.set_blocking(reading_end, False)
        tree.go_first(pid)
        pidfd = os.pidfd_open(pid)
        log = Log(command.folder + "/log", reading_end, command.log_size_bytes_max)
        job = Job(command, tag, pid, pidfd, log, command.deadline)
        self._jobs[command.attempt_id] = job
        for fd in (reading_end, pidfd):
            self._by_fd[fd] = job
            self._poll.register(fd, select.EPOLLIN)

    def _collect(self, job: Job) -> None:
        for fd in (job.pidfd, job.log.reading_end):
            if self._by_fd.pop(fd, None):
                self._poll.unregister(fd)
        job.collect()
        attempt_id = job.start.attempt_id
        self._ending[attempt_id] = self._jobs.pop(attempt_id)
        self.grown.pop(attempt_id, None)

    def _tell(self, job: Job) -> None:
        del self._ending[job.start.attempt_id]
        status = job.exit.status if job.exit else 0
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL and job.stopped_as is None
        self.ended[job.start.attempt_id] = job.ended(out_of_memory=killed and self._memory.has_struck())

    def _kill(self, job: Job) -> bool:
        """SIGKILL, again and again, until a look finds nothing or it is others' turn. True: nothing is left."""
        for _ in range(tree.PASSES_MAX):
            left = self._bearers(job)
            if not left:
                return True
            tree.send(left, signal.SIGKILL)
            self.reap()
        job.kill_at = now() + RETRY_KILL_S
        return False

    def _bearers(self, job: Job) -> list[int]:
        return tree.bearers(job.tag, job.start.attempt_id, job.pid)

    def _known(self, attempts: Iterable[str]) -> list[Job]:
        return [self._jobs[attempt] for attempt in attempts if attempt in self._jobs]
