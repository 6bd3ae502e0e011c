"""The options of `run` and `submit`, and the spec that they make."""

import base64
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from rota.cli.command import option
from rota.cli.door import is_text, legible
from rota.cli.graph_options import GraphOptions, graph_fields, graph_options, referring_inputs
from rota.cli.moments import Ahead
from rota.cli.placement_options import placement_options, resources, wants
from rota.cli.quantities import Duration
from rota.cli.retry_options import codes_of, retry_of, retry_options
from rota.protocol.paths import check_path
from rota.protocol.problems import InvalidRequest

F = TypeVar("F", bound=Callable[..., Any])
PAIR = "KEY=VALUE"
SCRIPT_MAX = 16 * 1024 * 1024
"""Longest script, in characters: more than anybody writes, and an end for /dev/zero."""


@dataclass(frozen=True, kw_only=True)
class SpecOptions:
    """What was given on the command line."""

    command: tuple[str, ...]
    script: str | None
    name: str | None
    environment: str | None
    require: tuple[str, ...]
    prefer: tuple[str, ...]
    cpus: int | float | None
    mem: int | float | None
    gpus: int | float | None
    disk: int | float | None
    resource: tuple[str, ...]
    env: tuple[str, ...]
    input: tuple[str, ...]
    artifact: tuple[str, ...]
    timeout: float | None
    grace: float | None
    queue_timeout: float | None
    priority: int | None
    tag: tuple[str, ...]
    lease_policy: str | None
    detach_timeout: float | None
    retries: int | None
    retry_on: tuple[str, ...]
    backoff: float | None
    success_exit: tuple[str, ...]
    policy: str | None
    not_before: str | None = None
    deadline: str | None = None


@dataclass(frozen=True, kw_only=True)
class WholeOptions(SpecOptions, GraphOptions):
    """With those that speak of other jobs."""


def spec_options(function: F) -> F:
    """Adds them to a command; they come as WholeOptions' arguments."""
    function = graph_options(function)
    for decorate in reversed(
        [
            click.argument("command", nargs=-1, type=click.UNPROCESSED),
            option("--script", metavar="FILE", help="Run this file's text with /bin/sh -eu instead; - is stdin."),
            option("--name", metavar="NAME", help="A name for people."),
            option("--environment", "-E", metavar="E", help="The environment that runs it. [default: the token's own, "
                   "else `default`]"),
            placement_options,
            option("--env", "-e", metavar=PAIR, multiple=True,
                   help="A variable for the job; KEY alone takes it from here. Repeatable."),
            option("--input", "-i", metavar="PATH[:DEST]", multiple=True,
                   help="A file or folder put into the job's folder before it starts; about 48 MiB in all, and without "
                   "the executable bit (so: -- sh build.sh). Repeatable."),
            option("--artifact", "-a", metavar="GLOB", multiple=True,
                   help="Files to bring back, such as 'out/**'. Repeatable."),
            option("--timeout", metavar="S", type=Duration(), help="Longest run; then SIGTERM to all its processes."),
            option("--grace", metavar="S", type=Duration(), help="From SIGTERM to SIGKILL.", show_default="10s"),
            option("--queue-timeout", metavar="S", type=Duration(), help="Longest wait for a worker; then it expires."),
            option("--priority", metavar="N", type=click.IntRange(-100, 100), help="Higher goes first.",
                   show_default="0"),
            option("--lease-policy", type=click.Choice(["stop", "keep"]), show_default="stop",
                   help="What a worker does with the job when it is cut off for longer than its lease."),
            option("--detach-timeout", metavar="S", type=Duration(), show_default="24h",
                   help="How long nobody else gets a job that is kept through such a cut."),
            option("--not-before", metavar="TIME", type=Ahead(),
                   help="Not before this: a time (RFC 3339), or how long from now (2h)."),
            option("--deadline", metavar="TIME", type=Ahead(),
                   help="What has not ended by then is ended: a time, or how long from now."),
            option("--tag", metavar=PAIR, multiple=True, help="A tag to find the job by. Repeatable."),
            retry_options,
        ]
    ):  # fmt: skip
        function = decorate(function)
    return function


def make_spec(options: WholeOptions, environ: Mapping[str, str]) -> dict[str, Any]:
    """The spec, as protocol.md has it. Raises click.UsageError for what cannot be one."""
    if bool(options.command) == (options.script is not None):
        raise click.UsageError(
            "Give a command behind `--`, or a --script: one of the two.", click.get_current_context()
        )
    spec: dict[str, Any] = {
        "command": list(options.command) or None,
        "script": read_script(options.script) if options.script is not None else None,
        "name": options.name,
        "environment": options.environment,
        "requires": wants("--require", options.require),
        "prefers": wants("--prefer", options.prefer),
        "resources": asked_resources(options),
        "env": pairs("--env", options.env, environ),
        "inputs": [file for given in options.input for file in read_inputs(given)] + referring_inputs(options),
        "artifacts": list(options.artifact),
        "timeout_s": options.timeout,
        "grace_s": options.grace,
        "queue_timeout_s": options.queue_timeout,
        "priority": options.priority,
        "lease_policy": options.lease_policy,
        "detach_timeout_s": options.detach_timeout,
        "tags": pairs("--tag", options.tag),
        "not_before": options.not_before,
        "deadline": options.deadline,
        "retry": retry_of(options.retries, options.retry_on, options.backoff),
        "success_exit_codes": codes_of(options.success_exit),
        "policy": options.policy,
        **graph_fields(options),
    }
    return {field: value for field, value in spec.items() if value is not None and value not in ({}, [])}


def asked_resources(options: SpecOptions) -> dict[str, int | float]:
    """The amounts by name."""
    named = {"cpus": options.cpus, "memory_bytes": options.mem, "gpus": options.gpus, "disk_bytes": options.disk}
    return resources(named, "--resource", options.resource, is_asked=True)


def pairs(spelling: str, given: Sequence[str], environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """`KEY=VALUE` texts as a mapping; a bare KEY is looked up in `environ`, where there is one."""
    found: dict[str, str] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals and environ is not None and key in environ:
            value = environ[key]
            if not is_text(value):
                raise click.UsageError(f"{spelling}: the variable `{key}` is no text in UTF-8 here.")
        elif not equals and environ is not None:
            raise click.UsageError(f"{spelling}: the variable `{key}` is not set here; write {key}=VALUE.")
        elif not equals or not key:
            raise click.UsageError(f"{spelling}: `{text}` is not KEY=VALUE.")
        found[key] = value
    return found


def read_script(file: str) -> str:
    """The script's text."""
    if file == "-" and sys.stdin is None:
        raise click.UsageError("--script: there is no stdin to read; it is closed.")
    try:
        with click.open_file(file, encoding="utf-8") as opened:
            text = str(opened.read(SCRIPT_MAX + 1))
    except UnicodeDecodeError:
        raise click.UsageError(f"--script: {file} is no text in UTF-8.") from None
    except OSError as error:
        raise click.UsageError(f"--script: {file}: {error.strerror}.") from None
    if len(text) > SCRIPT_MAX:
        raise click.UsageError(f"--script: {file} is longer than {SCRIPT_MAX} characters; make it an --input.")
    return text


def read_inputs(given: str) -> list[dict[str, str]]:
    """The files of `PATH[:DEST]`, one or all below a folder. DEST left out: PATH where relative, else its last name."""
    path, destination = Path(given), ""
    if not path.exists() and ":" in given:
        source, _, destination = given.rpartition(":")
        path = Path(source)
    if not path.exists():
        raise click.UsageError(f"--input: there is no {path}.")
    inside = not path.is_absolute() and ".." not in path.parts
    destination = destination.rstrip("/") or (path.as_posix() if inside else path.resolve().name)
    if not path.is_dir():
        if not path.is_file():
            raise click.UsageError(f"--input: {path} is no regular file and no folder.")
        return [as_input(path, destination)]
    found = sorted(file for file in path.rglob("*") if file.is_file())
    names = [file.relative_to(path).as_posix() for file in found]
    if not found:
        raise click.UsageError(f"--input: {path} holds no file, and a folder alone cannot be sent.")
    prefix = "" if destination == "." else f"{destination}/"
    return [as_input(file, prefix + name) for file, name in zip(found, names, strict=True)]


def as_input(file: Path, path: str) -> dict[str, str]:
    """One input, as protocol.md has it. Raises click.UsageError where the job could have no such file."""
    if not is_text(path):
        raise click.UsageError(f"--input: the name `{legible(path)}` is no text in UTF-8; rename the file.")
    try:
        check_path(path, f"--input `{path}`")
    except InvalidRequest as error:
        raise click.UsageError(error.detail) from None
    return {"path": path, "content": base64.b64encode(file.read_bytes()).decode("ascii")}
