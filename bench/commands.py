"""How long commands take as whole processes: the version, a server and a worker until they are ready, one job."""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import question
from scene import Scene, house, scene
from table import Answer, Bar, Figure, Row, told

FULL = {"rounds": 15}
QUICK = {"rounds": 5}
ROTA = str(Path(sys.executable).with_name("rota"))
BARS_MS = {"rota --version": 120, "rota dev, to ready": 1200, "rota run -- true": 250}


def measure(asked: argparse.Namespace) -> Answer:
    """A row a command; next to it a Python that does nothing, in turns."""
    took_ms: dict[str, list[float]] = {name: [] for name in (*BARS_MS, "python -c pass")}
    with scene(slots=1) as here:
        for _ in range(asked.rounds):
            took_ms["python -c pass"].append(_whole([sys.executable, "-c", "pass"], here))
            took_ms["rota --version"].append(_whole([ROTA, "--version"], here))
            took_ms["rota run -- true"].append(_whole([ROTA, "run", "--", "true"], here))
            took_ms["rota dev, to ready"].append(_dev_to_ready())
    bare = f"`python -c pass`: {told(took_ms['python -c pass'], ' ms')}"
    return Answer([
        Row(f"`{name}`, whole process", [Figure(took_ms[name], Bar("≤", bar), unit="ms")], bare)
        for name, bar in BARS_MS.items()
    ])  # fmt: skip


def _whole(command: list[str], here: Scene) -> float:
    """Milliseconds from its start to its end."""
    variables = house.environment_of_tests(ROTA_SERVER=here.server.url, ROTA_TOKEN=here.server.admin_token)
    began = time.monotonic()
    subprocess.run(command, check=True, capture_output=True, env=variables)
    return (time.monotonic() - began) * 1000


def _dev_to_ready() -> float:
    """Milliseconds from its start until it says what to try."""
    with tempfile.TemporaryDirectory(prefix="rota-bench-") as data:
        began = time.monotonic()
        dev = subprocess.Popen(
            [ROTA, "dev", "--port", str(house.free_port()), "--data", data], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env=house.environment_of_tests(),
        )  # fmt: skip
        assert dev.stdout is not None
        try:
            ready = any(b"Try:" in line for line in iter(dev.stdout.readline, b""))
            took_ms = (time.monotonic() - began) * 1000
        finally:
            dev.send_signal(signal.SIGINT)
            dev.communicate(timeout=30)
        assert ready, "rota dev ended before it was ready"
        return took_ms


if __name__ == "__main__":
    question.main(measure, FULL, QUICK)
