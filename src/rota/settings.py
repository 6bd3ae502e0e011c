"""Every setting of a server: variable, default, unit, one sentence; `docs/reference/settings.md` is made of it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from rota.protocol.placement import RESERVE_AFTER_S
from rota.protocol.problems import InvalidRequest
from rota.protocol.wire import INLINE_SIZE_BYTES_MAX


@dataclass(frozen=True)
class Setting:
    """One variable of the environment. `default` is shown as it would be written."""

    variable: str
    default: str
    unit: str
    sentence: str


SETTINGS = (
    Setting("ROTA_DATA", "", "a folder", "Where the server keeps its database, bytes and tokens (`--data`)."),
    Setting("ROTA_LISTEN", "127.0.0.1:7682", "HOST:PORT", "The address that the server listens on (`--listen`)."),
    Setting("ROTA_ONLY", "", "names", "Which of jobs, gateway, registry, scheduler to run; empty: all (`--only`)."),
    Setting("ROTA_DATABASE", "", "a URL", "The database; empty: SQLite in the data folder (`--database`)."),
    Setting("ROTA_BLOBS", "", "a URL", "Where logs and artifacts go; empty: the data folder (`--blobs`)."),
    Setting("ROTA_BACKUPS", "", "a folder", "Where backups are made; empty: `backups` in the data folder."),
    Setting("ROTA_JOBS_URL", "", "a URL", "Where the Job service is, for a participant that runs apart."),
    Setting("ROTA_GATEWAY_URL", "", "a URL", "The gateway, as workers reach it; empty: where they enrolled."),
    Setting("ROTA_REGISTRY_URL", "", "a URL", "The registry, as workers and a Job service apart reach it."),
    Setting("ROTA_SERVICE_TOKEN", "", "a token", "What services know each other by; empty: the data folder's."),
    Setting("ROTA_METRICS_OPEN", "no", "yes or no", "Whether /metrics is open to anybody."),
    Setting("ROTA_LOG_SIZE_BYTES_MAX", "1073741824", "bytes", "The largest log of one attempt that is stored."),
    Setting("ROTA_ARTIFACT_SIZE_BYTES_MAX", "1099511627776", "bytes", "The largest artifact that is stored."),
    Setting(
        "ROTA_DISK_FREE_BYTES_MIN", "", "bytes",
        "With less free room no job is taken or given out; empty: 256 MiB, or 5 % of a small disk; 0: no such mark.",
    ),
    Setting(
        "ROTA_RESERVE_AFTER_S", f"{RESERVE_AFTER_S:g}", "seconds",
        "How long smaller jobs pass over one that needs more room, before a worker keeps itself free for it.",
    ),
    Setting("ROTA_EVENTS_MAX", "1000000", "events", "How many events are kept."),
    Setting("ROTA_EVENTS_AGE_S", "604800", "seconds", "How long events are kept."),
    Setting(
        "ROTA_WEBHOOK_NETWORKS", "", "networks",
        "Where webhooks may lead besides public addresses, such as 10.0.0.0/8,127.0.0.0/8 (for jobs and scheduler).",
    ),
    Setting("ROTA_WEBHOOK_TIMEOUT_S", "15", "seconds", "How long a receiver of a webhook may take; less than 60."),
    Setting("ROTA_WEBHOOK_RETRY_S", "5", "seconds", "The pause before a delivery's second try; it grows from there."),
    Setting("ROTA_WEBHOOK_GIVE_UP_S", "259200", "seconds", "How long a delivery is tried before it is dead."),
    Setting("ROTA_DELIVERIES_AGE_S", "86400", "seconds", "How long deliveries that arrived are shown."),
    Setting("ROTA_DEAD_DELIVERIES_AGE_S", "2592000", "seconds", "How long dead deliveries are kept, to be re-sent."),
    Setting("ROTA_HEAD_TIMEOUT_S", "15", "seconds", "How long a connection may take for a request's head."),
    Setting("ROTA_BODY_TIMEOUT_S", "60", "seconds", "How long an upload may bring (almost) nothing; then it is cut."),
)  # fmt: skip

DURATION_S_MAX = 86400.0
AGE_S_MAX = 10 * 365 * 86400.0
_BY_NAME = {setting.variable: setting for setting in SETTINGS}


class Settings:
    """The settings as the environment gives them. Raises InvalidRequest naming a variable that cannot be read."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ

    def text(self, variable: str) -> str | None:
        """The value; None where it is empty."""
        return self._environ.get(variable, _BY_NAME[variable].default) or None

    def size_bytes(self, variable: str) -> int:
        """The value as a number of bytes."""
        value = self.text(variable) or ""
        if not (value.isascii() and value.isdigit()):
            raise InvalidRequest.of(variable, f"`{value}` is not a number of bytes")
        return int(value)

    def limit_bytes(self, variable: str) -> int:
        """The same for the largest log or artifact: no less than what may travel inside a message."""
        limit = self.size_bytes(variable)
        if limit < INLINE_SIZE_BYTES_MAX:
            raise InvalidRequest.of(variable, f"is at least {INLINE_SIZE_BYTES_MAX}: so much travels inside a message")
        return limit

    def size_bytes_or_none(self, variable: str) -> int | None:
        """The same; None where it is empty."""
        return None if self.text(variable) is None else self.size_bytes(variable)

    def age_s(self, variable: str) -> float:
        """The value as a number of seconds, more than none and less than ten years."""
        return self.duration_s(variable, AGE_S_MAX)

    def count(self, variable: str) -> int:
        """The value as a number of things, at least one."""
        value = self.text(variable) or ""
        if not (value.isascii() and value.isdigit() and int(value)):
            raise InvalidRequest.of(variable, f"`{value}` is not a whole number above 0")
        return int(value)

    def networks(self, variable: str) -> list[IPv4Network | IPv6Network]:
        """The value as IP networks, with commas between."""
        try:
            return [ip_network(one.strip()) for one in (self.text(variable) or "").split(",") if one.strip()]
        except ValueError as error:
            raise InvalidRequest.of(variable, f"holds what is no network such as 10.0.0.0/8: {error}") from None

    def duration_s(self, variable: str, most_s: float = DURATION_S_MAX) -> float:
        """The value as a number of seconds, more than none."""
        value = self.text(variable) or ""
        try:
            duration_s = float(value)
        except ValueError:
            duration_s = 0.0
        if not 0 < duration_s < most_s:
            raise InvalidRequest.of(variable, f"`{value}` is not a number of seconds above 0 and below {most_s:g}")
        return duration_s

    def is_on(self, variable: str) -> bool:
        """The value as yes or no."""
        value = (self.text(variable) or "no").lower()
        if value in {"yes", "true", "1", "on"}:
            return True
        if value in {"no", "false", "0", "off"}:
            return False
        raise InvalidRequest.of(variable, f"`{value}` is neither yes nor no")
