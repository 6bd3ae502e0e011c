"""An artifact of two gibibytes: how fast it is brought back by a worker, and how fast it is fetched, both verified."""

import argparse
import hashlib
import os
import time
from pathlib import Path

import question
from rota import Client
from scene import Scene, run_one, scene
from spent import forget_peak, peak_mb, rss_mb
from table import Answer, Bar, Figure, Row, told

FULL = {"mib": 2048, "rounds": 5}
QUICK = {"mib": 256, "rounds": 1}
MIB = 1024 * 1024
LIMIT = "ROTA_ARTIFACT_SIZE_BYTES_MAX"


def measure(asked: argparse.Namespace) -> Answer:
    """A row: MB/s up (submission to visible result) and down (SDK, into a file, sha256 compared)."""
    size_bytes = asked.mib * MIB
    up: list[float] = []
    down: list[float] = []
    peaks: dict[str, list[float]] = {"server": [], "agent": []}
    with scene(slots=1, options={LIMIT: str(2 * size_bytes)}) as here:
        source = here.server.data.parent / "source"
        sha256 = _written(source, asked.mib)
        for _ in range(asked.rounds):
            pids = {"server": here.server.process.pid, "agent": here.worker.process.pid}
            idle = {who: rss_mb(pid) for who, pid in pids.items()}
            for pid in pids.values():
                forget_peak(pid)
            began = time.monotonic()
            # A hard link: what is measured is Rota, not how fast a job writes.
            job = run_one(here.client, command=["ln", str(source), "artifact"], artifacts=["artifact"])
            up.append(size_bytes / 1e6 / (time.monotonic() - began))
            down.append(_fetched(here, job["id"], sha256, size_bytes))
            for who, pid in pids.items():
                peaks[who].append(peak_mb(pid) - idle[who])
    figures = [Figure(values, Bar("≥", 250), name, "MB/s") for name, values in (("up", up), ("down", down))]
    numbers = "; ".join(f"{who} {told(values)} MB above idle" for who, values in peaks.items())
    return Answer([Row(f"an artifact of {asked.mib:,} MiB up and down, sha256 verified", figures, numbers)])


def _written(path: Path, mib: int) -> str:
    """A file whose blocks differ; its sha256."""
    digest, block = hashlib.sha256(), bytearray(os.urandom(MIB))
    with path.open("wb") as file:
        for number in range(mib):
            block[:8] = number.to_bytes(8)
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def _fetched(here: Scene, job: str, sha256: str, size_bytes: int) -> float:
    folder = here.server.data.parent / "fetched"
    with Client(here.server.url, here.server.admin_token) as client:
        [artifact] = client.artifacts(job)
        assert (artifact.size_bytes, artifact.sha256) == (size_bytes, sha256), artifact
        began = time.monotonic()
        path = client.download(job, "artifact", folder)  # compares the digest, or raises
        rate = size_bytes / 1e6 / (time.monotonic() - began)
    assert path.stat().st_size == size_bytes
    path.unlink()
    return rate


if __name__ == "__main__":
    question.main(measure, FULL, QUICK)
