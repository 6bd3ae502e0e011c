"""How long one job takes on an idle worker, from submission until its result is visible, one at a time."""

import subprocess
import time

from scene import TRUE, Scene, options, scene


def measure(jobs: int) -> dict[str, str]:
    """A row of the table: p50 and p99, next to a bare subprocess.run in the same run, in turns."""
    took: list[float] = []
    bare: list[float] = []
    with scene(slots=1) as here:
        for _ in range(jobs):
            took.append(_one(here))
            began = time.monotonic()
            subprocess.run([TRUE], check=True)
            bare.append(time.monotonic() - began)
    p50, p99, bare50, bare99 = _part(took, 0.5), _part(took, 0.99), _part(bare, 0.5), _part(bare, 0.99)
    return {
        "question": "submit → result visible, idle worker, one at a time, ÷ `subprocess.run`",
        "measured": f"p50 **{p50 / bare50:.1f}**, p99 **{p99 / bare99:.1f}**",
        "numbers": f"p50 {p50:.1f} ms, p99 {p99:.1f} ms; bare {bare50:.2f} and {bare99:.2f} ms (n={jobs})",
    }


def _one(here: Scene) -> float:
    """Seconds of one job, waited for as the SDK does: a question that is held until the job has ended."""
    began = time.monotonic()
    job = here.client.post("/api/v1/jobs", json={"command": [TRUE]}).json()["id"]
    found = here.client.get(f"/api/v1/jobs/{job}", params={"wait_s": 30}).json()
    assert found["state"] == "finished", found
    return time.monotonic() - began


def _part(values: list[float], part: float) -> float:
    """Milliseconds below which that part of the values lies."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))] * 1000


if __name__ == "__main__":
    print(measure(options(jobs=300).jobs))
