"""The process of a server: its socket, its signals, and the participants that it serves on one address."""

import logging
import resource
import socket
import sys
from pathlib import Path

from rota.http.head import BoundedHead, Limits
from rota.http.serving import Serving
from rota.protocol.problems import InvalidRequest
from rota.server import PARTICIPANTS, House, ServerOptions, say
from rota.settings import Settings
from rota.world import SystemWorld

FILES_OF_OUR_OWN = 256
"""Descriptors that connections leave to databases, logs and artifacts."""


def serve(options: ServerOptions) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code. Raises Problem where it cannot start."""
    _check(options)
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING, stream=sys.stderr)
    options.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        listener = socket.create_server((options.host, options.port), family=_family(options.host), backlog=2048)
    except OSError as error:
        raise InvalidRequest.of("listen", f"{options.host}:{options.port} cannot be had: {error.strerror}") from None
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))  # a worker that waits is an open connection
    settings = Settings()
    house = House(options, settings, SystemWorld())
    host = f"[{options.host}]" if ":" in options.host else options.host
    url = f"http://{host}:{listener.getsockname()[1]}"
    if not options.only or "jobs" in options.only:  # whom people ask; several processes may share the folder
        _keep_line(options.data / "server-url", url)
    slow = settings.duration_s("ROTA_HEAD_TIMEOUT_S"), settings.duration_s("ROTA_BODY_TIMEOUT_S")
    http = BoundedHead.within(Limits(*slow, max(files // 2, files - FILES_OF_OUR_OWN)))
    server = Serving(house.application(), http, lambda: say(f"serving at {url}"), house.stop_waiting)
    server.run(sockets=[listener])
    return 0 if server.started and not house.disk.is_broken else 1


def _check(options: ServerOptions) -> None:
    for name in options.only:
        if name not in PARTICIPANTS:
            raise InvalidRequest.of("only", f"`{name}` is not a participant; known: {', '.join(PARTICIPANTS)}")
    if options.database is not None:
        raise InvalidRequest.of("database", "only SQLite in the data folder is supported yet; leave it out")


def _keep_line(file: Path, line: str) -> None:
    """Written where it does not say so already: a disk that is full keeps no server from a new start."""
    if not file.exists() or file.read_text("utf-8", "replace") != line + "\n":
        file.write_text(line + "\n", encoding="ascii")


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
