"""What each run_*.py beside this file is: a job system set up in a folder, told on stdin what to do.

It prints `ready`; then to each line it answers one line of JSON: `many N` → seconds from the first submission until
the last result is visible; `one N` → the seconds of each of N jobs, one after the other. It ends when stdin is closed.
A job is COMMAND as a real process, its output and exit code kept where the system keeps results.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

COMMAND = ["/bin/echo", "hi"]
EXPECTED = [0, "hi\n"]
PROCESSES = 2
WITHIN_S = 120
HERE = Path(__file__).resolve().parent
signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what was started, as Ctrl-C does


def run_command() -> list[int | str]:
    """The job itself: exit code and output."""
    done = subprocess.run(COMMAND, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return [done.returncode, done.stdout.decode()]


def serve(many: Callable[[int], Sequence[object]]) -> None:
    """Do what stdin says; `many` submits so many jobs and returns their results when all are there."""
    assert many(PROCESSES * 20) is not None  # the first ones start processes and connections
    print("ready", flush=True)
    for line in sys.stdin:
        word, number = line.split()
        counts = [int(number)] if word == "many" else [1] * int(number)
        took_s = [_timed(many, count) for count in counts]
        print(json.dumps(took_s), flush=True)


def _timed(many: Callable[[int], Sequence[object]], count: int) -> float:
    began = time.monotonic()
    results = many(count)
    took_s = time.monotonic() - began
    if len(results) != count or any(list(one) != EXPECTED for one in results):  # type: ignore[call-overload]
        raise SystemExit(f"{len(results)} results of {count}, the first {results[:1]}")
    return took_s


@contextmanager
def children(*commands: Sequence[str | Path], user: str | None = None, **variables: str) -> Iterator[None]:
    """Processes of this one, with their words in ROTA_PEER_LOG; ended by their process ids, with what they started."""
    environ = {**os.environ, "PYTHONPATH": str(HERE), **variables}
    with Path(os.environ["ROTA_PEER_LOG"]).open("ab") as log:
        started = [
            subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environ, user=user,
                             cwd=Path(os.environ["ROTA_PEER_LOG"]).parent, start_new_session=True)
            for command in commands
        ]  # fmt: skip
    try:
        yield
    finally:
        for child in started:
            child.send_signal(signal.SIGTERM)
        for child in started:
            try:
                child.wait(8)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()


def program(name: str) -> str:
    """A script of the virtual environment that this runs in."""
    return str(Path(sys.executable).with_name(name))


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """A Redis of our own with an append-only file, synced each second as is its default; its URL."""
    port = free_port()
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", ""]
    with children([*command, "--appendonly", "yes", "--appendfsync", "everysec"]):
        wait_for_port(port)
        yield f"redis://127.0.0.1:{port}/0"


def wait_for_port(port: int) -> None:
    """Until somebody listens there."""
    end_s = time.monotonic() + WITHIN_S
    while time.monotonic() < end_s:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    fail(f"nobody listens on port {port}")


def fail(words: str) -> NoReturn:
    """End with a reason."""
    raise SystemExit(words)
