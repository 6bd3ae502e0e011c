"""Finding and ending all processes of a job, also those that called setsid, forked twice or dropped their environment.

Each running job has a tag: a number that its processes inherit through fork and exec and do not meet in ordinary
life. It is the soft limit RLIMIT_RTTIME (real-time scheduling, microseconds), set so high that it never strikes; any
process's limits can be read in under two microseconds. What no longer bears a job's tag still is a descendant of the
shepherd, which is the subreaper of all: an orphan that belongs to no running job is ended too.
"""

import contextlib
import os
import resource
import secrets
import signal
from collections.abc import Collection, Iterable

_MARKER = b"ROTA_RESULT="  # the path of a file in the attempt's folder, which is called after it
_OFFSET = 2**50
_TAGS_PER_SHEPHERD = 2**20
PASSES_MAX = 30
"""Rounds of killing before other jobs get their turn again."""


class Tags:
    """Numbers for jobs, out of a range that is this shepherd's own."""

    def __init__(self) -> None:
        self.first = _OFFSET + secrets.randbelow(2**28) * _TAGS_PER_SHEPHERD
        self._count = 0
        self._hard = resource.getrlimit(resource.RLIMIT_RTTIME)[1]

    def next(self) -> int:
        """A fresh tag; the processes that are started from now on bear it."""
        tag = self.first + 1 + self._count % (_TAGS_PER_SHEPHERD - 1)
        self._count += 1
        if self._hard == resource.RLIM_INFINITY:
            resource.setrlimit(resource.RLIMIT_RTTIME, (tag, self._hard))
        return tag


def tag_of(pid: int) -> int:
    """The tag that a process bears; 0 where it is gone or not ours to ask."""
    try:
        return resource.prlimit(pid, resource.RLIMIT_RTTIME)[0]
    except (ProcessLookupError, PermissionError):
        return 0


def bearers(tag: int, attempt_id: str, leader: int) -> list[int]:
    """Living processes of a job: by tag, by session, by the marker in their environment."""
    marker = f"/{attempt_id}/".encode()
    me = os.getpid()
    return [
        pid
        for pid in _all()
        if pid != me and (tag_of(pid) == tag or _session(pid) == leader or marker in _marker(pid)) and is_alive(pid)
    ]


def bearers_between(first: int) -> list[int]:
    """Living processes that bear any tag of the shepherd whose range starts with `first`."""
    return [pid for pid in _all() if first < tag_of(pid) < first + _TAGS_PER_SHEPHERD and is_alive(pid)]


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Signal each that is still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def go_first(pid: int) -> None:
    """Where memory is short, a job goes before the worker. Source: guarantees.md, F31."""
    with contextlib.suppress(OSError):  # it may be over already
        file = os.open(f"/proc/{pid}/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(file, b"500")
        finally:
            os.close(file)


def orphans(mains: Collection[int]) -> list[int]:
    """Living children of this process that are none of `mains`: what a job left behind. The dead are reaped."""
    me = os.getpid()
    try:
        with open(f"/proc/self/task/{me}/children", "rb", buffering=0) as file:  # noqa: PTH123  (hot)
            children = map(int, file.read().split())
    except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN
        children = map(int, (pid for pid in _all() if _parent(pid) == me))
    return [pid for pid in children if pid not in mains and not _is_reaped(pid)]


def attempt_of(pid: int) -> str:
    """The attempt that a process names in its environment, or nothing. For those that bear no tag that we know."""
    return os.path.basename(os.path.dirname(_marker(pid))).decode(errors="replace")  # noqa: PTH119, PTH120  (bytes)


def _marker(pid: int) -> bytes:
    named = [entry for entry in _environment(pid).split(b"\0") if entry.startswith(_MARKER)]
    return named[0].removeprefix(_MARKER) if named else b""


def is_alive(pid: int) -> bool:
    """Neither gone nor a zombie."""
    return _stat(pid)[:1] not in {b"", b"Z", b"X"}


def _is_reaped(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def _all() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208  (hot)


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return 0


def _environment(pid: int) -> bytes:
    return _read(f"/proc/{pid}/environ")


def _parent(pid: int) -> int:
    fields = _stat(pid).split()
    return int(fields[1]) if len(fields) > 1 else 0


def _stat(pid: int) -> bytes:
    """State, parent and the rest; the program's name before them may hold anything."""
    return _read(f"/proc/{pid}/stat").rpartition(b") ")[2]


def _read(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123  (hot)
            return file.read()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""
