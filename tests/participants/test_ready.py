"""/readyz: 200 where a service can do its work, else 503 and why not. Source: protocol.md, "Every service answers"."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from house import PLAIN, Server, free_port
from participants.place import refused
from waiting import until

UNKNOWN_TOKEN = "rota_01a209c7-2a4a-778f-be04-0e938b7a7b88_" + "x" * 43


class Launched(Server):
    """A server that need not be ready."""

    def start(self) -> None:
        """Start it, and wait until it lives."""
        self.launch()
        until(self.lives, 30, "it lives")

    def lives(self) -> bool:
        """Whether /livez answers."""
        try:
            return httpx2.get(f"{self.url}/livez", verify=PLAIN).status_code == 200
        except httpx2.HTTPError:
            return False

    def why_not(self) -> str:
        """The reason why it is not ready."""
        detail: str = refused(httpx2.get(f"{self.url}/readyz", verify=PLAIN), 503, "unavailable")["detail"]
        return detail


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Server]:
    started = Server(tmp_path / "jobs", ["jobs"], ROTA_REGISTRY_URL=f"http://127.0.0.1:{free_port()}")
    yield started
    started.stop()


@pytest.mark.parametrize("name", ["gateway", "registry", "scheduler"])
def test_a_service_without_a_token_that_is_known_is_not_ready_until_it_has_one(
    jobs: Server, tmp_path: Path, name: str
) -> None:
    apart = Launched(tmp_path / name, [name], ROTA_JOBS_URL=jobs.url)
    try:
        assert "service-token" in apart.why_not()
        (apart.data / "service-token").write_text(UNKNOWN_TOKEN)
        assert "refuses this service's token" in apart.why_not()
        (apart.data / "service-token").write_text((jobs.data / "service-token").read_text())
        assert apart.is_ready()
    finally:
        apart.stop()


@pytest.mark.parametrize("how", ["killed", "stopped in its tracks"])
def test_without_the_job_service_a_gateway_is_not_ready_and_a_registry_that_knows_the_workers_is(
    jobs: Server, tmp_path: Path, how: str
) -> None:
    token = (jobs.data / "service-token").read_text().strip()
    apart = {
        name: Launched(tmp_path / name, [name], ROTA_JOBS_URL=jobs.url, ROTA_SERVICE_TOKEN=token)
        for name in ("gateway", "registry", "scheduler")
    }
    try:
        for server in apart.values():
            until(server.is_ready, 10, "ready while the Job service is up")
        if how == "killed":
            jobs.kill()
        else:
            jobs.process.send_signal(signal.SIGSTOP)

        for name in ("gateway", "scheduler"):
            began_s = time.monotonic()
            assert "does not answer" in apart[name].why_not()
            assert time.monotonic() - began_s < 5
        until(apart["registry"].is_ready, 5)
    finally:
        for server in apart.values():
            server.stop()


def test_a_registry_that_never_met_the_job_service_is_not_ready(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    apart = Launched(tmp_path / "r", ["registry"], ROTA_JOBS_URL=url, ROTA_SERVICE_TOKEN=UNKNOWN_TOKEN)
    try:
        assert url in apart.why_not()
    finally:
        apart.stop()
