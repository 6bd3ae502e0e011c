"""A server and a worker for examples and listings."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from house import Server, Worker, environment_of_tests
from rota import Client
from waiting import until


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Variables with which `rota` is found, and finds a server that has a worker."""
    folder = tmp_path_factory.mktemp("examples")
    server = Server(folder / "data")
    worker = Worker(server.url, server.token("enrolment"), folder / "worker", 4)
    with Client(server.url, server.admin_token) as client:
        until(client.workers, why="the worker is listed")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    yield environment_of_tests(PATH=path, HOME=str(folder), ROTA_SERVER=server.url, ROTA_TOKEN=server.admin_token)
    worker.stop()
    server.stop()
