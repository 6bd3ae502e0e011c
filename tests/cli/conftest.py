"""A server and a worker as subprocesses, and `rota` as a person would type it."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cli.terminal_session import TerminalSession
from house import Server, Worker, environment_of_tests
from rota import Client
from waiting import until

SLOTS = 4


class Shell:
    """Types `rota …` with these variables; what it prints is kept apart."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        self.environ, self.folder = dict(environ), folder

    def command(self, *arguments: str) -> list[str]:
        """The words of a process."""
        return [sys.executable, "-m", "rota", *arguments]

    def raw(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
        """Run it to its end, without a terminal."""
        return subprocess.run(
            self.command(*arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
            cwd=self.folder,
            env={**self.environ, **environ},
        )

    def __call__(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """The same as text."""
        done = self.raw(*arguments, **environ)
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    def json(self, *arguments: str) -> Any:  # noqa: ANN401  (any JSON)
        """What `--json` printed."""
        done = self(*arguments, "--json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start it and come back, with pipes that keep nothing back."""
        return subprocess.Popen(
            self.command(*arguments),
            bufsize=0,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env=self.environ,
        )

    def terminal(self, *arguments: str, **environ: str) -> TerminalSession:
        """On a terminal, with its colours."""
        variables = {**self.environ, "NO_COLOR": "", "TERM": "xterm", "COLUMNS": "200", **environ}
        return TerminalSession(arguments, variables)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose workers are heard every second, with one of them."""
    folder = tmp_path_factory.mktemp("cli")
    server = Server(folder / "data")
    with Client(server.url, server.admin_token) as client:
        client.create_environment("quick", heartbeat_s=0.5, lease_s=10)
        workers = [
            Worker(
                server.url,
                server.token("enrolment", environment),
                folder / environment,
                SLOTS,
                "--label",
                "site=here",
                "gpu=yes",
            )
            for environment in ("default", "quick")
        ]
        until(lambda: len(client.workers()) == len(workers), why="the workers are listed")
    yield server
    for worker in workers:
        worker.stop()
    server.stop()


def variables(home: Path, **more: str) -> dict[str, str]:
    """Those of a person whose home is empty."""
    kept = {name: value for name, value in environment_of_tests().items() if not name.startswith("XDG_")}
    return {**kept, "HOME": str(home), "ROTA_REQUEST_TIMEOUT": "2s", **more}


@pytest.fixture
def nobody(tmp_path: Path) -> Shell:
    """A shell that knows of no server."""
    return Shell(variables(tmp_path), tmp_path)


@pytest.fixture
def rota(server: Server, tmp_path: Path) -> Shell:
    """A shell that knows the server and the administrator's token."""
    return Shell(variables(tmp_path, ROTA_SERVER=server.url, ROTA_TOKEN=server.admin_token), tmp_path)
