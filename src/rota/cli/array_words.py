"""How the parts of an array fare, in words."""

from msgspec import UNSET

from rota.cli.terminal import printable
from rota.protocol.job import Job, Parts
from rota.protocol.matrix import INDEX, PREFIX


def parts_of(job: Job) -> Parts | None:
    """The counts of its parts; None where the job is no array."""
    return None if job.parts is UNSET else job.parts


def progress(parts: Parts) -> str:
    """`12 of 40 done, 2 failed, 5 running`."""
    words = [f"{parts.succeeded + parts.failed} of {parts.total} done"]
    failed = parts.failed - parts.cancelled  # nobody's failure, though their verdict is that
    words += [f"{failed} failed"] if failed > 0 else []
    words += [f"{parts.cancelled} cancelled"] if parts.cancelled else []
    words += [f"{parts.running} running"] if parts.running else []
    return ", ".join(words)


def part_words(job: Job) -> str:
    """Which part of its array it is: `#3`, or `#3 os=linux python=3.12`; empty where it is none."""
    if job.parent_id is UNSET:
        return ""
    env = job.spec.env
    axes = [f"{key.removeprefix(PREFIX).lower()}={value}" for key, value in env.items() if key.startswith(PREFIX)]
    return printable(" ".join([f"#{env.get(INDEX, '?')}", *axes]))
