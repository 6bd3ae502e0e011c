"""`rota server`: the participants, on one address."""

from pathlib import Path

import click

from rota.cli.command import Command, option

LISTEN = "127.0.0.1:7682"
PARTICIPANTS = ("jobs", "gateway", "registry", "scheduler")
PORT_MAX = 65535


class Address(click.ParamType[tuple[str, int]]):
    """`HOST:PORT`; an IPv6 address stands in brackets."""

    name = "HOST:PORT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        host, _, port = str(value).rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not host or not (port.isascii() and port.isdigit()) or int(port) > PORT_MAX:
            self.fail(f"`{value}` is no address. Write HOST:PORT, such as {LISTEN} or [::1]:7682.", param, ctx)
        return host, int(port)


@click.command(
    cls=Command,
    asks_server=False,
    prints_json=False,
    examples=(
        "rota server --data /var/lib/rota",
        "rota server --data /var/lib/rota --listen 0.0.0.0:7682     # behind a proxy that speaks TLS",
        "rota server --data /var/lib/rota-gateway --only gateway    # ROTA_JOBS_URL says where the others are",
    ),
)
@option(
    "--data",
    metavar="DIR",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Its folder: database, logs, artifacts, keys. Made where it is missing.",
)
@option("--listen", metavar="HOST:PORT", type=Address(), default=LISTEN, help="The address to answer on.")
@option(
    "--only",
    metavar="NAME",
    multiple=True,
    type=click.Choice(PARTICIPANTS),
    help="Run this participant alone (jobs, gateway, registry, scheduler). Repeatable.",
    show_default="all",
)
@option("--database", metavar="URL", help="Another database.", show_default="SQLite in --data")
@option("--blobs", metavar="URL", help="Another store for logs and artifacts.", show_default="files in --data")
@click.pass_context
def command(
    ctx: click.Context,
    *,
    data: Path,
    listen: tuple[str, int],
    only: tuple[str, ...],
    database: str | None,
    blobs: str | None,
) -> None:
    """Run a server.

    On an empty DIR it makes the environment `default` and an administrator's token in DIR/admin-token, and prints
    where that is. It is ready when /readyz answers 200. SIGTERM ends it; what it answered for is on disk.
    """
    from rota.serve import serve  # noqa: PLC0415  (start-up time)
    from rota.server import ServerOptions  # noqa: PLC0415  (start-up time)

    host, port = listen
    ctx.exit(serve(ServerOptions(data=data, host=host, port=port, only=only, database=database, blobs=blobs)))
