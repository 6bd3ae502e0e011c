"""One real server for the folder; each test has an environment of its own there."""

from collections.abc import Iterator

import httpx2
import pytest

from house import HandWorker, Server
from participants.place import Place


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("house") / "data")
    yield started
    assert started.stop() == 0
    log = started.log.read_text()
    assert "Traceback" not in log, log


@pytest.fixture(scope="session")
def admin(server: Server) -> Iterator[httpx2.Client]:
    """The administrator."""
    with server.client() as client:
        yield client


@pytest.fixture
def place(server: Server, admin: httpx2.Client) -> Iterator[Place]:
    """An environment where nobody else's jobs are."""
    with Place(server, admin) as made:
        yield made


@pytest.fixture
def quick(server: Server, admin: httpx2.Client) -> Iterator[Place]:
    """The same, with leases that end while a test looks on."""
    with Place(server, admin, heartbeat_s=0.2, lease_s=0.6) as made:
        yield made


@pytest.fixture
def worker(place: Place) -> HandWorker:
    """A worker of the place, played by hand."""
    return place.worker()
