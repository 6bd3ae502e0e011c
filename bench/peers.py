"""`make bench-peers`: other job systems beside Rota, the same work in the same run; writes PEERS.md and peers.json.

Each is set up in .venv/peers and a temporary folder, in the settings in which it is fastest here, listens on loopback
only and is ended by its process id. One that cannot be set up or measured stays in the table, with the reason.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path
from threading import Timer
from typing import NamedTuple

import machine
from limit import Rate, Round, between, spawn_limit, spawn_rate, xargs_rate
from scene import run_jobs, run_one, scene
from table import Answer, Figure, Row, markdown, part_of, plain, save, told

HERE = Path(__file__).resolve().parent
VENV = HERE.parent / ".venv" / "peers"
COMMAND = ("/bin/echo", "hi")
WITHIN_S, END_S = 600, 60
"""How long one system may take in all, and to end."""
HEAD = ("system", "jobs/s", "÷ spawn limit", "submit → visible p50", "p99", "how")


class Absent(Exception):
    """This one cannot be set up here; the text says why."""


class Peer(NamedTuple):
    """A job system: run_NAME.py, what pip installs for it, what Debian calls its server, and its settings in words."""

    name: str
    requirements: tuple[str, ...]
    how: str
    debian: tuple[str, str] | None = None  # program, package


ROTA = "SQLite, `synchronous=FULL`, results and logs on disk; one worker"
REDIS = ("redis-server", "redis-server")
PEERS = (
    Peer("dramatiq", ("dramatiq[redis]>=2.2,<3",), "Redis AOF, synced each second; 2 processes of 4 threads", REDIS),
    Peer("huey", ("huey>=3.5,<4",), "SQLite, fsync; 2 processes; at most once"),
    Peer("hyperqueue", ("hyperqueue>=0.27,<0.28",), "in memory, no journal; the wheel: all in one process"),
    Peer("dask", ("distributed>=2026.8",), "in memory; 2 processes of 4 threads"),
    Peer("celery", ("celery[redis]>=5.7,<6",), "Redis AOF, synced each second; prefork, 2 processes", REDIS),
    Peer(
        "procrastinate", ("procrastinate>=3.10,<4", "psycopg[binary,pool]>=3.3,<4"),
        "PostgreSQL, fsync; 2 processes of 4 jobs; keeps no results, so that its task does", ("postgres", "postgresql"),
    ),
)  # fmt: skip
DISTRIBUTIONS = {"dask": "distributed"}


class Measured(NamedTuple):
    """What one system did: its rounds, and the seconds of single jobs."""

    rounds: list[Round]
    singles_s: list[float]


def main() -> int:
    """Measure Rota and each peer, write, and return 1 where one could not be measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few jobs, few rounds")
    parser.add_argument("--jobs", type=int, help="default 2000, 300 with --quick")
    parser.add_argument("--rounds", type=int, help="default 5, 2 with --quick")
    parser.add_argument("--only", nargs="+", choices=[peer.name for peer in PEERS], help="printed, not written")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what was started, as Ctrl-C does
    jobs, rounds = asked.jobs or (300 if asked.quick else 2000), asked.rounds or (2 if asked.quick else 5)
    singles = 30 if asked.quick else 200
    measures: list[tuple[str, str, Callable[[], Measured]]] = [
        (f"Rota {version('rota')}, {slots} slots", ROTA, partial(_rota, slots, jobs, rounds, singles))
        for slots in (64, 2)
    ]
    chosen = [peer for peer in PEERS if not asked.only or peer.name in asked.only]
    measures += [(peer.name, peer.how, partial(_peer, peer, jobs, rounds, singles)) for peer in chosen]
    rows = [_row(*one) for one in measures]
    if not asked.only:
        _write(rows, jobs)
    return int(any(row.failure is not None for row in rows))


def _row(name: str, how: str, measure: Callable[[], Measured]) -> Row:
    """A line of the table, told as soon as it is there. Whatever goes wrong with one system is that line's."""
    try:
        rounds, singles_s = measure()
    except Exception as error:  # noqa: BLE001  (the others are still to be measured; the row says what it was)
        row = Row(_named(name), numbers=how, failure=f"{type(error).__name__}: {error}"[:300].replace("\n", " "))
    else:
        figures = [
            Figure([one.rate for one in rounds], name="jobs/s"),
            Figure([one.ratio for one in rounds], name="ratio"),
            Figure([part_of(singles_s, 0.5) * 1000], name="p50", unit="ms"),
            Figure([part_of(singles_s, 0.99) * 1000], name="p99", unit="ms"),
        ]
        row = Row(_named(name), figures, how)
    print(" | ".join(_cells(row)), flush=True)
    return row


def _named(name: str) -> str:
    """With its version, where it is installed."""
    known = {peer.name for peer in PEERS}
    if name not in known or not (VENV / "bin" / "python").exists():
        return name
    code = f"from importlib.metadata import version; print(version({DISTRIBUTIONS.get(name, name)!r}))"
    asked = subprocess.run([VENV / "bin" / "python", "-c", code], capture_output=True, text=True, check=False)
    return f"{name} {asked.stdout.strip()}".strip()


def _cells(row: Row) -> list[str]:
    if row.failure is not None:
        return [row.question, f"**not measured**: {row.failure}", "", "", "", row.numbers]
    rate, ratio, p50, p99 = row.figures
    return [row.question, told(rate.values), told(ratio.values), f"{plain(p50.median)} ms", f"{plain(p99.median)} ms",
            row.numbers]  # fmt: skip


def _rounds(many: Callable[[], float], jobs: int, rounds: int) -> list[Round]:
    return between([_limit()], jobs, many, rounds)


def _limit() -> Rate:
    return xargs_rate if spawn_limit() is None else lambda count: spawn_rate(count, *COMMAND)


def _rota(slots: int, jobs: int, rounds: int, singles: int) -> Measured:
    with scene(slots) as here:
        found = _rounds(lambda: jobs / run_jobs(here.client, jobs, COMMAND), jobs, rounds)
        singles_s = []
        for _ in range(singles):
            began = time.monotonic()
            run_one(here.client, command=COMMAND)
            singles_s.append(time.monotonic() - began)
    return Measured(found, singles_s)


def _peer(peer: Peer, jobs: int, rounds: int, singles: int) -> Measured:
    _set_up(peer)
    with tempfile.TemporaryDirectory(prefix="rota-peer-") as folder, _running(peer, Path(folder)) as ask:
        found = _rounds(lambda: jobs / ask(f"many {jobs}")[0], jobs, rounds)
        return Measured(found, ask(f"one {singles}"))


def _set_up(peer: Peer) -> None:
    """Its Python packages and its server. Raises Absent."""
    if not (VENV / "bin" / "pip").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
    done = subprocess.run(
        [VENV / "bin" / "pip", "install", "-qq", *peer.requirements], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise Absent(f"pip installs no {' '.join(peer.requirements)}: {_last(done.stderr)}")
    if peer.debian is None:
        return
    program, package = peer.debian
    if shutil.which(program) or list(Path("/usr/lib/postgresql").glob(f"*/bin/{program}")):
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Absent(f"{program} is not installed; on Debian: apt-get install {package}")
    variables = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", package]):
        done = subprocess.run(["apt-get", *command], capture_output=True, text=True, check=False, env=variables)
    if done.returncode != 0:
        raise Absent(f"apt-get installs no {package}: {_last(done.stderr)}")


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["it says nothing"])[-1]


@contextmanager
def _running(peer: Peer, folder: Path) -> Iterator[Callable[[str], list[float]]]:
    """Its run_*.py, ready; what it is asked, it answers. Raises Absent with its last words."""
    log = folder / "log"
    variables = {**os.environ, "ROTA_PEER_LOG": str(log), "PYTHONWARNINGS": "ignore"}
    script = HERE / "peer" / f"run_{peer.name}.py"
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [VENV / "bin" / "python", script, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
            text=True, env=variables, cwd=folder,
        )  # fmt: skip
    hangs = Timer(WITHIN_S, process.terminate)
    hangs.start()
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None
    assert stdout is not None

    def answer() -> str:
        line = stdout.readline()
        if not line:
            raise Absent(f"{script.name} has ended; it said: {_last(log.read_text(errors='replace'))}")
        return line.strip()

    def ask(words: str) -> list[float]:
        stdin.write(f"{words}\n")
        stdin.flush()
        while not (line := answer()).startswith("["):
            pass
        took_s: list[float] = json.loads(line)
        return took_s

    try:
        while answer() != "ready":
            pass
        yield ask
    finally:
        hangs.cancel()
        with suppress(BrokenPipeError):
            stdin.close()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _write(rows: list[Row], jobs: int) -> None:
    limit = "xargs -P2" if spawn_limit() is None else "spawn.c, posix_spawn and two pipes from two processes"
    lines = [
        "# Beside other job systems", "", *machine.lines(HERE),
        f"- {jobs:,} x `{' '.join(COMMAND)}` as a real process each, output and exit code kept, from the first "
        "submission until the last result is visible; then one at a time.",
        f"- The limit ({limit}) is sampled right before and after each round. Medians (least to greatest, n rounds).",
        "", "![Beside other job systems](plots/peers.svg)", "",
        markdown(HEAD, [_cells(row) for row in rows]), "", "## What this does not show",
        "- What a crash costs: Redis is synced once a second, Huey runs at most once, Dask and HyperQueue keep all in "
        "memory; of Rota every acknowledged result is on disk (RESULTS.md, kill -9).",
        "- Other settings than these: each system was given what made it fastest here, of what its documents offer.",
        "- Rota is submitted to over HTTP in one request; the others by their own library, one by one where they have "
        "no call for many.",
    ]  # fmt: skip
    (HERE / "PEERS.md").write_text("\n".join(lines) + "\n")
    save(Answer(rows), HERE / "peers.json")
    subprocess.run([sys.executable, str(HERE / "plots.py"), "--peers"], check=True)


if __name__ == "__main__":
    sys.exit(main())
