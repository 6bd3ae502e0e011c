"""A whole Rota for a test: real processes, real sockets, on loopback, ended by their process ids."""

import base64
import hashlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from waiting import until

READY_WITHIN_S = 30
PARTICIPANT_VARIABLES = {"jobs": "ROTA_JOBS_URL", "gateway": "ROTA_GATEWAY_URL", "registry": "ROTA_REGISTRY_URL"}

Json = dict[str, Any]

PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts nobody: no test speaks TLS, and to read the machine's authorities for each client takes 0.2 s."""


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def environment_of_tests(**more: str) -> dict[str, str]:
    """The variables a process of a test gets: nothing of a person's own Rota."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ROTA_")}
    return {**kept, "NO_COLOR": "1", **more}


class Server:
    """One server process: all participants, or those that `only` names."""

    program: Sequence[str] = ("-m", "rota")

    def __init__(self, data: Path, only: Sequence[str] = (), port: int | None = None, **variables: str) -> None:
        self.data = data
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._only, self.variables = only, variables
        self.process: subprocess.Popen[bytes]
        self.start()

    def start(self) -> None:
        """Start it (again), and wait until it is ready."""
        self.launch()
        until(self.is_ready, READY_WITHIN_S, f"server ready, see {self.log}")

    def launch(self) -> None:
        """Start it (again), ready or not."""
        command = [sys.executable, *self.program, "server", "--data", str(self.data)]
        command += ["--listen", f"127.0.0.1:{self.port}", *(word for name in self._only for word in ("--only", name))]
        self.log = self.data.with_suffix(".log")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment_of_tests(**self.variables)
            )

    def is_ready(self) -> bool:
        """Whether /readyz answers 200."""
        assert self.process.poll() is None, self.log.read_text()
        try:
            return httpx2.get(f"{self.url}/readyz", verify=PLAIN).status_code == 200
        except httpx2.HTTPError:
            return False

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        try:
            return self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    @property
    def admin_token(self) -> str:
        """The administrator's."""
        return (self.data / "admin-token").read_text().strip()

    def client(self, token: str | None = None) -> httpx2.Client:
        """A plain HTTP client of somebody with that token; the administrator's where none is given."""
        headers = {"Authorization": f"Bearer {token or self.admin_token}"}
        return httpx2.Client(verify=PLAIN, base_url=self.url, headers=headers, timeout=70)

    def token(self, kind: str, environment: str = "default", **wanted: object) -> str:
        """A fresh token of that kind."""
        with self.client() as client:
            made = client.post(f"/api/v1/environments/{environment}/credentials", json={"kind": kind, **wanted})
        assert made.status_code == 201, made.text
        token: str = made.json()["token"]
        return token


@contextmanager
def servers() -> Iterator[list[Server]]:
    """Servers that a test adds to the list are stopped at its end."""
    started: list[Server] = []
    try:
        yield started
    finally:
        for server in started:
            server.stop()


class Worker:
    """A real `rota worker` process."""

    def __init__(
        self, server: str, token: str | None, work_dir: Path, slots: int = 1, *more: str, **variables: str
    ) -> None:
        self.work_dir = work_dir
        self.log = work_dir.with_suffix(".log")
        command = [sys.executable, "-m", "rota", "worker", "--server", server, "--work-dir", str(work_dir)]
        command += ["--slots", str(slots), "--name", work_dir.name, *more]
        self._command = command + ([] if token is None else ["--token", token])
        self.variables = variables
        self.process: subprocess.Popen[bytes]
        self.start()

    def start(self) -> None:
        """Start it (again)."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment_of_tests(**self.variables),
            )  # fmt: skip

    def stop(self) -> int:
        """SIGTERM (drain), SIGTERM again when it takes long; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        try:
            return self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.terminate()
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


class HandWorker:
    """A worker played by hand, message by message: what an outside program would send."""

    def __init__(
        self,
        server: Server,
        environment: str = "default",
        incarnation: str = "one",
        registry: Server | None = None,
        gateway: Server | None = None,
        **facts: object,
    ) -> None:
        enrolment = server.token("enrolment", environment)
        body = {"name": "hand", "labels": {}, "slots": 4, "executors": ["process"], "version": "test"} | facts
        with httpx2.Client(verify=PLAIN, base_url=(registry or server).url) as client:
            enrolled = client.post("/registry/v1/workers", json=body, headers={"Authorization": f"Bearer {enrolment}"})
        assert enrolled.status_code == 201, enrolled.text
        self.enrolled: Json = enrolled.json()
        self.id: str = self.enrolled["worker_id"]
        credential = self.enrolled["credential"]
        auth = None if credential["method"] == "jwt" else (credential["username"], credential["password"])
        headers = {"Rota-Incarnation": incarnation}
        if auth is None:
            headers["Authorization"] = f"Bearer {credential['token']}"
        self.http = httpx2.Client(
            verify=PLAIN, base_url=(gateway or server).url, headers=headers, auth=auth, timeout=70
        )

    def post(self, path: str, body: Json) -> httpx2.Response:
        """One message."""
        return self.http.post(path, json=body)

    def get_job(self, slots: int = 1, wait_s: float = 0, **more: object) -> list[Json]:
        """getJob; empty is noJob."""
        answer = self.post("/gateway/v1/get-job", {"slots": slots, "wait_s": wait_s, **more})
        assert answer.status_code in {200, 204}, answer.text
        offers: list[Json] = answer.json()["jobs"] if answer.status_code == 200 else []
        return offers

    def status(self, status: str, *attempts: str) -> httpx2.Response:
        """status: Working and the others."""
        body = {"status": status, "attempts": list(attempts), "free_slots": 1}
        return self.post("/registry/v1/status", body)

    def finish(self, *ends: Json) -> httpx2.Response:
        """What jobFinished carries, sent."""
        return self.post("/gateway/v1/job-finished", {"attempts": list(ends)})


def finished(attempt_id: str, log: bytes = b"", exit_code: int = 0, **more: object) -> Json:
    """A report with the log inline."""
    usage = {"wall_s": 0.1, "user_s": 0.1, "system_s": 0, "max_rss_bytes": 1000}
    result = {"exit_code": exit_code, "signal": None, "reason": "exited", "message": None, "value": None}
    now = "2026-11-23T12:00:00.000000Z"
    return {
        "attempt_id": attempt_id,
        "result": {**result, "usage": usage},
        "log": inline(log),
        "artifacts": [],
        "started_at": now,
        "finished_at": now,
        **more,
    }


def inline(content: bytes) -> Json:
    """Size, digest and the bytes themselves, as jobFinished carries small ones."""
    return {**described(content), "inline": base64.b64encode(content).decode()}


def described(content: bytes) -> Json:
    """Size and digest of what was uploaded."""
    return {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def ended(client: httpx2.Client, job: str, within_s: float = 30) -> Json:
    """The job, once it has ended."""
    end = time.monotonic() + within_s
    found: Json = {}
    while time.monotonic() < end:
        found = client.get(f"/api/v1/jobs/{job}", params={"wait_s": 5}).json()
        if found["state"] in {"finished", "cancelled", "expired", "lost"}:
            return found
    raise AssertionError(f"job {job} has not ended within {within_s} s: {found}")
