"""A job that prints a gibibyte: how fast all of it is stored, and how much memory server and worker take for it."""

import argparse
import hashlib
import time

import question
from scene import Scene, run_one, scene
from spent import forget_peak, peak_mb, rss_mb, shepherd_of
from table import Answer, Bar, Figure, Row, told

FULL = {"mib": 1024, "rounds": 5}
QUICK = {"mib": 128, "rounds": 1}
MIB = 1024 * 1024
LINE = b"step 12345 of 99999: compiled, linked, tested; all of it is well, nothing is left to do\n"
LIMIT = "ROTA_LOG_SIZE_BYTES_MAX"


def measure(asked: argparse.Namespace) -> Answer:
    """A row: MB/s from the submission to the visible result, and the peaks above idle."""
    size_bytes = asked.mib * MIB
    rates: list[float] = []
    back: list[float] = []
    extra: dict[str, list[float]] = {"server": [], "agent": [], "shepherd": []}
    with scene(slots=1, options={LIMIT: str(2 * size_bytes)}) as here:
        for _ in range(asked.rounds):
            rate, peaks = _printed(here, size_bytes, back)
            rates.append(rate)
            for who, mb in peaks.items():
                extra[who].append(mb)
    worker = [agent + shepherd for agent, shepherd in zip(extra["agent"], extra["shepherd"], strict=True)]
    figures = [
        Figure(rates, Bar("≥", 150), unit="MB/s"),
        Figure(extra["server"], Bar("≤", 64), "server", "MB above idle"),
        Figure(worker, Bar("≤", 64), "worker", "MB above idle"),
    ]
    numbers = f"read back at {told(back)} MB/s, the same bytes; agent {told(extra['agent'])} MB, shepherd "
    return Answer(
        [Row(f"a job that prints {asked.mib:,} MiB, end to end", figures, f"{numbers}{told(extra['shepherd'])} MB")]
    )


def _printed(here: Scene, size_bytes: int, back: list[float]) -> tuple[float, dict[str, float]]:
    pids = {"server": here.server.process.pid, "agent": here.worker.process.pid, "shepherd": shepherd_of(here)}
    idle = {who: rss_mb(pid) for who, pid in pids.items()}
    for pid in pids.values():
        forget_peak(pid)
    line = LINE.decode().strip()
    began = time.monotonic()
    job = run_one(here.client, command=["sh", "-c", f"yes '{line}' | head -c {size_bytes}"])
    rate = size_bytes / 1e6 / (time.monotonic() - began)
    peaks = {who: peak_mb(pid) - idle[who] for who, pid in pids.items()}
    back.append(_read_back(here, job["id"], size_bytes))
    return rate, peaks


def _read_back(here: Scene, job: str, size_bytes: int) -> float:
    """MB/s, and that every byte is there."""
    digest, began = hashlib.sha256(), time.monotonic()
    with here.client.stream("GET", f"/api/v1/jobs/{job}/log") as log:
        for piece in log.iter_raw():
            digest.update(piece)
    rate = size_bytes / 1e6 / (time.monotonic() - began)
    whole = hashlib.sha256()
    block = LINE * 4096
    for first in range(0, size_bytes, len(block)):
        whole.update(block[: size_bytes - first])
    assert digest.digest() == whole.digest(), "the log is not what the job printed"
    return rate


if __name__ == "__main__":
    question.main(measure, FULL, QUICK)
