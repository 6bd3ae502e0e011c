"""What a worker is told at its start. All limits have defaults; durations are seconds, sizes bytes."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

MEBIBYTE = 1024 * 1024


class WrongOption(ValueError):
    """An option that cannot work; the text is for people and says what to do instead."""


@dataclass(frozen=True)
class WorkerOptions:
    """A worker's options. `token` is the environment's enrolment token, needed at the first start only."""

    server_url: str
    token: str | None
    name: str
    slots: int
    labels: dict[str, str]
    work_dir: Path
    resources: Mapping[str, float] = field(default_factory=dict)
    """What it offers to jobs that ask for it, by name."""
    insecure: bool = False
    """Speak plain http:// to a server that is not on this machine. Source: threats.md, T22."""
    log_size_bytes_max: int = 256 * MEBIBYTE
    """A job's log is cut here, with a mark in it; the job goes on."""
    artifact_size_bytes_max: int = 10 * 1024 * MEBIBYTE
    """An artifact that is longer is not collected."""
    artifacts_max: int = 100_000
    """Most artifacts of one job."""
    disk_free_bytes_min: int = 256 * 1024
    """With less room in the work folder no job is asked for; 0: no such mark."""
    spool_size_bytes_max: int = 50 * 1024 * MEBIBYTE
    """With so many bytes of logs and artifacts that nobody has received yet, no job is asked for."""
    status_timeout_s: float = 5
    """How long the registry may take to acknowledge `working`; later, the jobs are refused."""
    wait_s: float = 30
    """How long the gateway may hold a getJob."""
    call_timeout_s: float = 30
    """How long any other call may take."""
    log_flush_s: float = 0.25
    """How often new log bytes are sent while a job runs."""
    stop_margin_s: float = 1
    """How long before the end of its lease a job is killed; at most half a heartbeat's interval."""
    first_heartbeat_s: float = 1
    """When, after its start, a job is shown as running."""
    backoff_s_max: float = 30
    """The longest pause between two tries."""
    farewell_s: float = 10
    """How long a worker that was told twice to stop tries to report, and to say that it is offline."""
    uploads_max: int = 8
    """Uploads at the same time."""
    shepherd_silent_s: float = 10
    """A shepherd that is stopped is ended after so long without a word; one that hangs, after six times as long."""


def check_url(url: str, *, insecure: bool) -> str:
    """The address without a trailing slash. Raises WrongOption where a credential must not be sent there."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise WrongOption(f"`{url}` is no address of a server; give one such as https://rota.example.org")
    if parts.scheme == "http" and not insecure and not is_loopback(parts.hostname):
        raise WrongOption(f"`{url}` is not encrypted, and not on this machine; use https://, or say --insecure")
    return url.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether what is sent to `host` stays on this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
