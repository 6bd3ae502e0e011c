"""Whether the kernel killed for want of memory: told by its own counters, never guessed from a signal alone."""

from pathlib import Path


class OutOfMemory:
    """Reads the counter of out-of-memory kills of this process's group, or else of the machine."""

    def __init__(self) -> None:
        self._path = _counter()
        self._seen = self._count()

    def has_struck(self) -> bool:
        """Whether the kernel killed anyone for want of memory since this was last asked."""
        seen, self._seen = self._seen, self._count()
        return self._seen > seen

    def _count(self) -> int:
        try:
            lines = self._path.read_text().splitlines()
        except OSError:  # no such counter here: then `signaled` is all that can be said
            return 0
        return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def _counter() -> Path:
    try:
        groups = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        groups = []
    own = next((line.removeprefix("0::") for line in groups if line.startswith("0::")), "/")
    events = Path(f"/sys/fs/cgroup{own}/memory.events")
    return events if own != "/" and events.exists() else Path("/proc/vmstat")
