"""How pages say times, sizes, states and ends."""

from datetime import UTC, datetime

from rota.protocol.job import Job
from rota.protocol.job_finished import Reason, Result
from rota.protocol.schedule import Schedule
from rota.protocol.states import JobState
from rota.protocol.wire import parse_timestamp

GLYPHS = {
    "waiting": "◷", "queued": "○", "assigned": "◔", "running": "◑", "finished": "●", "succeeded": "✓", "failed": "✗",
    "cancelled": "⊘", "expired": "⌛", "lost": "?", "refused": "↩", "detached": "◌", "working": "◑",
    "ready_for_work": "✓", "draining": "◐", "offline": "○",
}  # fmt: skip
"""A state is never told by its colour alone."""

_UNITS = (("d", 86400), ("h", 3600), ("min", 60))


def outcome(job: Job) -> str:
    """One word for what became of it: the verdict of what has finished, else the state."""
    return str(job.verdict) if job.state is JobState.FINISHED and job.verdict is not None else str(job.state)


def ending(result: Result | None) -> str:
    """How it ended, in two or three words."""
    if result is None:
        return ""
    if result.reason is Reason.EXITED:
        return f"exit {result.exit_code}"
    if result.reason is Reason.SIGNALED:
        return f"killed by {result.signal}"
    return str(result.reason).replace("_", " ")


def duration(seconds: float | None) -> str:
    """`0.21 s`, `12 s`, `3 min 4 s`, `2 h 5 min`."""
    if seconds is None:
        return ""
    if seconds < 10:  # noqa: PLR2004
        return f"{max(0.0, seconds):.2f} s"
    if seconds < 60:  # noqa: PLR2004
        return f"{seconds:.0f} s"
    whole = int(seconds)
    parts: list[str] = []
    for unit, size in _UNITS:
        if whole >= size or parts:
            parts.append(f"{whole // size} {unit}")
            whole %= size
    return " ".join([*parts, f"{whole} s"][:2])


def ago(at: str | None) -> str:
    """How long ago that was."""
    if at is None:
        return "never"
    passed_s = (datetime.now(UTC) - parse_timestamp(at)).total_seconds()
    return "just now" if passed_s < 1 else f"{duration(passed_s).split('.')[0].removesuffix(' s')}{_tail(passed_s)} ago"


def _tail(passed_s: float) -> str:
    return " s" if passed_s < 60 else ""  # noqa: PLR2004


def size(count_bytes: int) -> str:
    """`812 B`, `1.4 MB`."""
    amount, unit = float(count_bytes), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":  # noqa: PLR2004
            break
        amount /= 1000
    return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"


def command_line(job: Job) -> str:
    """What it runs, in one line."""
    if job.spec.command is not None:
        return " ".join(job.spec.command)
    return (job.spec.script or "").strip().replace("\n", "; ")


def when(schedule: Schedule) -> str:
    """Its calendar, as it was written."""
    if schedule.cron is not None:
        return f"{schedule.cron} ({schedule.timezone})"
    return f"every {duration(schedule.every_s)}"


def moment(at: str | None) -> str:
    """`2026-11-24 10:30:00 UTC`."""
    return "never" if at is None else f"{at[:10]} {at[11:19]} UTC"


def short(identity: str) -> str:
    """Enough of an id to tell it from its neighbours: ids of one moment begin alike."""
    return identity[-8:]
