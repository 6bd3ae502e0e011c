"""Where the server is and who asks: argument, environment, profile, local data folder, in this order.

Source: protocol.md, "The CLI finds its server and token in this order".
"""

import ipaddress
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import platformdirs

CONFIG_FILE = "config.toml"
TOKEN_FILE = "admin-token"  # noqa: S105  (a file's name)
"""In a server's data folder: the administrator's token, one line, mode 0600."""
URL_FILE = "server-url"
"""In a server's data folder: where it listens, one line, written at its start."""


class NoServer(Exception):
    """It is not known which server to ask, or the way there is not fit for a token. The text says what to do."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A server's address without a trailing `/`, the token for it, and where each was found, for messages."""

    server: str
    token: str | None
    server_origin: str
    token_origin: str


@dataclass(frozen=True, kw_only=True)
class Place:
    """One of the places that are asked."""

    origin: str
    server: str | None
    token: str | None


def find_endpoint(
    server: str | None = None,
    token: str | None = None,
    *,
    profile: str | None = None,
    insecure: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> Endpoint:
    """The server and the token for it.

    A token that lies in a profile or a data folder is used for the server named beside it and for no other: an
    address typed by hand does not receive the local administrator's token. Raises NoServer.
    """
    given = Place(origin="argument", server=server, token=token)
    environment = Place(origin="environment", server=environ.get("ROTA_SERVER"), token=environ.get("ROTA_TOKEN"))
    stored = [read_profile(profile or environ.get("ROTA_PROFILE"), environ), read_data_folder(data_folder(environ))]
    found = next((place for place in [given, environment, *stored] if place.server), None)
    if found is None:
        raise NoServer("No server is known. Start one here with `rota dev`, or name one with --server or ROTA_SERVER.")
    address = checked_address(found.server or "")
    explicit = [place for place in (given, environment) if place.token and place.token.strip()]
    beside = [place for place in stored if place.token and place.server and same_server(place.server, address)]
    holder = next(iter([*explicit, *beside]), None)
    if holder is not None and not insecure and environ.get("ROTA_INSECURE", "") in {"", "0"}:
        refuse_open_wire(address)
    return Endpoint(
        server=address,
        token=checked_token(holder.token or "", holder.origin) if holder else None,
        server_origin=found.origin,
        token_origin=holder.origin if holder else "nowhere",
    )


def config_file(environ: Mapping[str, str] = os.environ) -> Path:
    """`~/.config/rota/config.toml`, or what ROTA_CONFIG names."""
    return Path(environ.get("ROTA_CONFIG") or platformdirs.user_config_path("rota") / CONFIG_FILE)


def data_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where `rota dev` keeps its data: ROTA_DATA, else the user's data folder."""
    return Path(environ.get("ROTA_DATA") or platformdirs.user_data_path("rota"))


def read_profile(name: str | None, environ: Mapping[str, str] = os.environ) -> Place:
    """The profile `name` of the config file, else the one that its line `profile = "…"` names, else `default`.

    Raises NoServer where the file cannot be read, or has no profile of a name that was asked for.
    """
    path = config_file(environ)
    try:
        config: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        config = {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise NoServer(f"The config file {path} cannot be read: {error}. Mend it or move it away.") from None
    profiles = config.get("profiles", {})
    wanted = name or config.get("profile")
    chosen = profiles.get(wanted or "default") if isinstance(profiles, dict) else None
    if chosen is None and wanted:
        raise NoServer(f"{path} has no profile `{wanted}`. Add a table [profiles.{wanted}] with `server` and `token`.")
    chosen = chosen if isinstance(chosen, dict) else {}
    for key, value in chosen.items():
        if key not in {"server", "token"} or not isinstance(value, str):
            raise NoServer(
                f"{path}: profile `{wanted or 'default'}` has `{key}`; it holds `server` and `token`, as text."
            )
    origin = f"profile {wanted or 'default'} in {path}"
    return Place(origin=origin, server=chosen.get("server"), token=chosen.get("token"))


def read_data_folder(folder: Path) -> Place:
    """What a server that runs here has left for its own user."""
    return Place(origin=str(folder), server=first_line(folder / URL_FILE), token=first_line(folder / TOKEN_FILE))


def first_line(path: Path) -> str | None:
    """The file's first line, or None where there is none that this user may read."""
    try:
        return path.read_text("utf-8").partition("\n")[0].strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def checked_address(text: str) -> str:
    """The address without a trailing `/`. Raises NoServer where it is none."""
    text = text.strip().rstrip("/")
    none = NoServer(f"`{text}` is not a server's address. Give one such as http://127.0.0.1:7682.")
    try:
        parts = urlsplit(text)
        fits = parts.port != 0  # what cannot be a port raises
    except ValueError:
        raise none from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        fits = False
    if not fits or not text.isprintable() or " " in text:
        raise none
    if parts.username or parts.password:
        raise NoServer("A server's address holds no password. Give the token with --token or ROTA_TOKEN.")
    return text


def checked_token(text: str, origin: str) -> str:
    """The token. Raises NoServer where it could not travel in a header: it is printable ASCII without spaces."""
    token = text.strip()
    if not token.isascii() or not token.isprintable() or " " in token:
        raise NoServer(f"The token (from {origin}) is none: a token is one line of ASCII. Copy it once more, whole.")
    return token


def same_server(one: str, other: str) -> bool:
    """Whether two addresses name one server, as far as the text tells."""
    try:
        a, b = urlsplit(one.strip().rstrip("/")), urlsplit(other)
    except ValueError:
        return False
    return (a.scheme, a.netloc.lower(), a.path) == (b.scheme, b.netloc.lower(), b.path)


def is_loopback(address: str) -> bool:
    """Whether the way to the address stays on this machine (0.0.0.0 is what a server listens on everywhere)."""
    host = urlsplit(address).hostname or ""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return ip.is_loopback or ip.is_unspecified


def refuse_open_wire(address: str) -> None:
    """Raise NoServer where a token would cross a network in the clear. Source: threats.md, T22."""
    if urlsplit(address).scheme == "http" and not is_loopback(address):
        raise NoServer(
            f"{address} is not encrypted, so a token sent there can be read on the way. "
            "Use https://, or say --insecure (ROTA_INSECURE=1) where the network is your own."
        )
