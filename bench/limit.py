"""What this machine can do at most: processes a second with nothing around them, sampled before and after a round."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

TRUE = "/bin/true"
AT_ONCE = 2
"""Processes that start others at the same time, in both limits; as the issue's own samples of them."""
_SOURCE = Path(__file__).resolve().parent / "spawn.c"
_PROGRAM = Path(sys.prefix) / "spawn-limit"

Rate = Callable[[int], float]
"""Processes a second, of so many."""


class NoCompiler(Exception):
    """The limit in C cannot be sampled here; the text says why."""


class Round(NamedTuple):
    """One measured rate, and each limit's mean of right before and right after; all a second."""

    rate: float
    limits: list[float]

    @property
    def ratio(self) -> float:
        """The part of the first limit that was reached."""
        return self.rate / self.limits[0]


def xargs_rate(count: int) -> float:
    """Of `xargs -P2 -n1 /bin/true`: exit codes are looked at, output is not kept."""
    began = time.monotonic()
    subprocess.run(["xargs", f"-P{AT_ONCE}", "-n1", TRUE], input=b"x\n" * count, check=True)
    return count / (time.monotonic() - began)


def spawn_rate(count: int, *words: str) -> float:
    """Of spawn.c: posix_spawn and two pipes, output and exit code kept. Raises NoCompiler."""
    done = subprocess.run(
        [_compiled(), str(count), str(AT_ONCE), *(words or (TRUE,))], stdout=subprocess.PIPE, check=True
    )
    return float(done.stdout)


def spawn_limit() -> Rate | None:
    """`spawn_rate` where it can be had here."""
    try:
        _compiled()
    except NoCompiler as error:
        print(f"no limit in C: {error}", file=sys.stderr)
        return None
    return spawn_rate


def between(limits: Sequence[Rate], count: int, measure: Callable[[], float], rounds: int) -> list[Round]:
    """Measure `rounds` times, with a sample of each limit between any two."""
    found: list[Round] = []
    after = [limit(count) for limit in limits]
    for _ in range(rounds):
        before, rate, after = after, measure(), [limit(count) for limit in limits]
        found.append(Round(rate, [sum(both) / 2 for both in zip(before, after, strict=True)]))
    return found


def _compiled() -> str:
    """The program's path, compiled anew where its source is younger."""
    if _PROGRAM.exists() and _PROGRAM.stat().st_mtime > _SOURCE.stat().st_mtime:
        return str(_PROGRAM)
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise NoCompiler("there is neither gcc nor cc")
    done = subprocess.run(
        [compiler, "-O2", "-o", str(_PROGRAM), str(_SOURCE)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise NoCompiler(f"{compiler} does not compile {_SOURCE.name}: {done.stderr.strip()}")
    return str(_PROGRAM)
