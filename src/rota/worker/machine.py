"""What this machine has for jobs, as far as it can be found out: the CPUs and the memory that this process may use.

A container or a unit of systemd may use less than the machine has: its control group says so. Source: cgroups(7).
"""

import os
from pathlib import Path

from rota.protocol.resources import Resources

_UNLIMITED_BYTES_MIN = 2**60
"""What control groups of version 1 say where there is no limit is a number of this size."""


def found() -> Resources:
    """`cpus` and `memory_bytes`; what cannot be found out is left out."""
    resources: Resources = {"cpus": cpus()}
    memory = memory_bytes()
    return resources if memory is None else resources | {"memory_bytes": memory}


def cpus(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> int | float:
    """How many CPUs this process may keep busy: those that it may run on, or fewer by its control group's quota."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [_quota(folder) for folder in _groups(proc, cgroups, "cpu")]
    least = min([count, *(quota for quota in quotas if quota is not None)])
    return int(least) if least == int(least) else int(least * 1000) / 1000


def memory_bytes(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> int | None:
    """How much memory there is, or less by a control group's limit."""
    limits = [_limit(folder) for folder in _groups(proc, cgroups, "memory")]
    known = [size for size in (_total(proc), *limits) if size is not None]
    return min(known, default=None)


def _groups(proc: Path, cgroups: Path, controller: str) -> list[Path]:
    """The folders of this process's control group and of those above it; a limit of any is one for all below."""
    folders: list[Path] = []
    for line in (_text(proc / "self/cgroup") or "").splitlines():
        _, _, named = line.partition(":")
        controllers, _, path = named.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        top = cgroups / controller if controllers else cgroups
        group = top / path.lstrip("/")
        # In a container the path may be the host's, and its own group stands at the top.
        folders += [group, *(above for above in group.parents if above.is_relative_to(top))]
    return folders


def _quota(folder: Path) -> float | None:
    limit = (_text(folder / "cpu.max") or "").split()
    if not limit:
        limit = [_text(folder / f"cpu.cfs_{name}_us") or "" for name in ("quota", "period")]
    try:
        quota, period = map(int, limit)
    except ValueError:  # `max`: no limit; or no such file
        return None
    return max(quota / period, 0.001) if quota > 0 and period > 0 else None


def _limit(folder: Path) -> int | None:
    for name in ("memory.max", "memory.limit_in_bytes"):
        text = _text(folder / name) or ""
        if text.isdecimal():
            return int(text) if int(text) < _UNLIMITED_BYTES_MIN else None
    return None


def _total(proc: Path) -> int | None:
    for line in (_text(proc / "meminfo") or "").splitlines():
        name, _, amount = line.partition(":")
        if name == "MemTotal":
            return int(amount.split()[0]) * 1024
    return None


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
