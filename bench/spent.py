"""CPU time of the processes of a scene, so that it can be said where a job's time goes."""

import os
from pathlib import Path

from scene import Scene

_TICKS_S = os.sysconf("SC_CLK_TCK")


def spent(here: Scene) -> dict[str, float]:
    """CPU seconds so far: the server, the worker's agent, its shepherd, and all jobs that ended."""
    shepherd = shepherd_of(here)
    own, jobs = _cpu_s(shepherd)
    return {
        "server": _cpu_s(here.server.process.pid)[0],
        "agent": _cpu_s(here.worker.process.pid)[0],
        "shepherd": own,
        "jobs": jobs,
    }


def shepherd_of(here: Scene) -> int:
    """The process id of the worker's second process."""
    wanted = [b"rota.worker.shepherd", os.fsencode(here.worker.work_dir)]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if all(word in words for word in wanted):
                return int(entry.name)
    raise AssertionError("no shepherd runs")


def rss_mb(pid: int) -> float:
    """Resident memory."""
    return _kb(Path(f"/proc/{pid}/status"), "VmRSS:") / 1024


def peak_mb(pid: int) -> float:
    """The most resident memory since its start, or since `forget_peak`."""
    return _kb(Path(f"/proc/{pid}/status"), "VmHWM:") / 1024


def forget_peak(pid: int) -> None:
    """From here on the peak is counted anew. Source: proc(5), clear_refs."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def pss_mb(pid: int) -> float:
    """Resident memory in which a page counts for its share among those who have it mapped."""
    return _kb(Path(f"/proc/{pid}/smaps_rollup"), "Pss:") / 1024


def cpu_s(pid: int) -> float:
    """CPU time of the process itself so far."""
    return _cpu_s(pid)[0]


def _kb(file: Path, field: str) -> int:
    for line in file.read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    raise AssertionError(f"{file} has no {field}")


def _cpu_s(pid: int) -> tuple[float, float]:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    user, system, children_user, children_system = map(int, fields[11:15])
    return (user + system) / _TICKS_S, (children_user + children_system) / _TICKS_S
