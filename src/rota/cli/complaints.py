"""Errors as a person reads them: what is wrong, what to do, an exit code. With --json, a problem document."""

from dataclasses import dataclass, field
from typing import Any

import click
import msgspec

from rota.cli.context import Settings
from rota.cli.exit_codes import Code
from rota.cli.failure import Failure
from rota.cli.terminal import printable
from rota.client.profile import NoServer
from rota.client.transport import NotReached, NotUnderstood
from rota.client.unpack import UnsafeArchive
from rota.protocol.problems import (
    TYPE_PREFIX,
    Forbidden,
    Internal,
    InvalidRequest,
    NotFound,
    Problem,
    TooLarge,
    Unauthenticated,
)

CODES: dict[type[Problem], Code] = {
    NotFound: Code.NOT_FOUND,
    Unauthenticated: Code.NOT_ALLOWED,
    Forbidden: Code.NOT_ALLOWED,
    InvalidRequest: Code.USAGE,
}
ADVICE: dict[type[Problem], str] = {
    TooLarge: "All --inputs of a job may have about 48 MiB. Let the job fetch what is larger itself.",
    Unauthenticated: "Give a token with ROTA_TOKEN or --token; `rota env token --kind submit` makes one.",
    Forbidden: "Ask for a token of another kind, or of that environment.",
    InvalidRequest: "Mend that; the command's --help says what it takes.",
    Internal: "Look into the server's log, then try again.",
}

SLUGS: dict[type[Exception], str] = {
    NotReached: "not-reached",
    NotUnderstood: "not-understood",
    NoServer: "no-server",
    UnsafeArchive: "unsafe-archive",
}
"""What the command line itself names, in the manner of the protocol's problems."""


@dataclass(frozen=True)
class Complaint:
    """What is said. `what` and `advice` are a sentence each, or more."""

    what: str
    advice: str
    code: int
    slug: str
    status: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    title: str = ""


def complain(error: Exception, settings: Settings) -> int | None:
    """Say it on stderr and return the exit code; None, in silence, for what is no user's error but a fault of ours."""
    complaint = explain(error, settings)
    if complaint is None:
        return None
    out = settings.output()
    if settings.as_json:
        body = {
            "type": TYPE_PREFIX + complaint.slug,
            "title": complaint.title or in_words(complaint.slug),
            "status": complaint.status,
        }
        body |= {"detail": complaint.what, "advice": complaint.advice, "exit_code": complaint.code, **complaint.extra}
        out.complain(msgspec.json.encode(body).decode())
        return complaint.code
    out.complain(f"{click.style('rota:', fg='red')} {printable(complaint.what)}")
    if complaint.advice:
        out.complain(f"      {printable(complaint.advice)}")
    return complaint.code


def in_words(slug: str) -> str:
    """`Not reached` for `not-reached`, as the API's titles are."""
    return slug.replace("-", " ").capitalize()


def explain(error: Exception, settings: Settings) -> Complaint | None:
    """The words for it; None for what nobody expected."""
    found: Complaint | None = None
    match error:
        case Problem():
            found = of_problem(error, settings)
        case NotReached() | NotUnderstood() | NoServer() | UnsafeArchive():
            what, stop, advice = str(error).partition(". ")
            found = Complaint(what + stop.strip(), advice, Code.OUR_SIDE, SLUGS[type(error)])
        case Failure():
            found = Complaint(error.message, error.advice, error.code, "failure")
        case click.UsageError():
            where = error.ctx.command_path if error.ctx else "rota"
            found = Complaint(error.format_message(), f"`{where} --help` says more.", Code.USAGE, "usage")
        case click.ClickException():
            found = Complaint(error.format_message(), "", Code.USAGE, "usage")
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            found = Complaint(f"{where}{error.strerror or error}", "", Code.OUR_SIDE, "system")
    return found


def of_problem(problem: Problem, settings: Settings) -> Complaint:
    """What the server said."""
    kind = next((kind for kind in CODES if isinstance(problem, kind)), type(problem))
    fields = {"errors": problem.extra["errors"]} if problem.extra.get("errors") else {}
    advice = settings.missing if kind is NotFound else ADVICE.get(kind, "")
    code = CODES.get(kind, Code.OUR_SIDE)
    return Complaint(problem.detail, advice, code, problem.slug, problem.status, fields, problem.title)
