"""What a command is given: settings, a voice, and a client of the server."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rota.cli.output import OFF, Output

if TYPE_CHECKING:
    from rota.client import AsyncClient, Client

REQUEST_TIMEOUT_S = 5.0
"""How long a command goes on trying to reach the server where nobody says otherwise."""
OUTAGE_S = 600.0
"""How long a command that watches a job outlasts an outage of the server, where nobody says otherwise."""


@dataclass
class Settings:
    """Options that every command takes, before or after its name; the one behind the name wins."""

    server: str | None = None
    token: str | None = None
    profile: str | None = None
    insecure: bool = False
    request_timeout_s: float | None = None
    outage_s: float = OUTAGE_S
    as_json: bool = False
    quiet: bool = False
    colour: str = "auto"
    debug: bool = False
    missing: str = "`rota list` shows the jobs there are."
    """What to do where the server knows no such thing; a command that asks for another thing says so."""

    @property
    def debugs(self) -> bool:
        """Whether tracebacks are wanted."""
        return self.debug or os.environ.get("ROTA_DEBUG", "") not in OFF

    def output(self) -> Output:
        """The command's voice."""
        return Output(colour=self.colour, as_json=self.as_json, quiet=self.quiet)

    def client(self) -> "Client":
        """A client of the server that the settings lead to. Raises NoServer."""
        from rota.client import Client  # noqa: PLC0415  (start-up time)

        return Client(**self.reach())

    def async_client(self) -> "AsyncClient":
        """The same, awaited."""
        from rota.client import AsyncClient  # noqa: PLC0415  (start-up time)

        return AsyncClient(**self.reach())

    def reach(self, environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
        """A client's arguments. Raises NoServer where ROTA_REQUEST_TIMEOUT is no duration."""
        from rota.cli.quantities import read_duration  # noqa: PLC0415  (start-up time)
        from rota.client.profile import NoServer  # noqa: PLC0415  (start-up time)

        patience_s = self.request_timeout_s
        if patience_s is None and (text := environ.get("ROTA_REQUEST_TIMEOUT")):
            patience_s = read_duration(text)
            if patience_s is None:
                raise NoServer(f"ROTA_REQUEST_TIMEOUT is `{text}`, which is no duration. Write such as 5s.")
        return {
            "server": self.server,
            "token": self.token,
            "profile": self.profile,
            "insecure": self.insecure,
            "patience_s": REQUEST_TIMEOUT_S if patience_s is None else patience_s,
            "outage_s": self.outage_s,
        }
