"""The process of a server: its socket, its signals, and the participants that it serves on one address."""

import logging
import resource
import socket
import sys

import uvicorn

from rota.http.head import BoundedHead
from rota.http.serving import Serving
from rota.protocol.problems import InvalidRequest
from rota.server import PARTICIPANTS, House, ServerOptions, say
from rota.settings import Settings
from rota.world import SystemWorld

_GRACE_S = 5  # for answers that are on their way when the server is told to stop


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
    house = House(options, Settings(), SystemWorld())
    host = f"[{options.host}]" if ":" in options.host else options.host
    url = f"http://{host}:{listener.getsockname()[1]}"
    if not options.only or "jobs" in options.only:  # whom people ask; several processes may share the folder
        (options.data / "server-url").write_text(url + "\n", encoding="ascii")
    config = uvicorn.Config(
        house.application(), log_config=None, access_log=False, server_header=False, timeout_keep_alive=75,
        timeout_graceful_shutdown=_GRACE_S, lifespan="on", http=BoundedHead,
    )  # fmt: skip
    server = Serving(config, house.stop_waiting, lambda: say(f"serving at {url}"))
    server.run(sockets=[listener])
    return 0 if server.started else 1


def _check(options: ServerOptions) -> None:
    for name in options.only:
        if name not in PARTICIPANTS:
            raise InvalidRequest.of("only", f"`{name}` is not a participant; known: {', '.join(PARTICIPANTS)}")
    if options.database is not None:
        raise InvalidRequest.of("database", "only SQLite in the data folder is supported yet; leave it out")


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
