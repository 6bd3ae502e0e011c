"""Writes the pages of docs/reference that say what the code says: `make docs`.

A page is a function that returns its text; `PAGES` names its file. tests/rules compares each with what is stored, so
that a page cannot fall behind the code.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from pathlib import Path

import click

from rota.cli.main import cli
from rota.protocol import problems
from rota.protocol.states import AttemptState, JobState, Move, Verdict
from rota.settings import SETTINGS

REFERENCE = Path(__file__).resolve().parent / "reference"
NOTE = "<!-- Written by `make docs` from the code. Change the code, not this page. -->\n"


def states() -> str:
    """States of a job and of an attempt, the verdict, and every move."""
    moves = [
        (f"`{move.name.lower()}`", move.message, _codes(s for s in JobState if s in move.leaves), f"`{move.enters}`")
        for move in Move
    ]
    return _page(
        "States",
        "A job is in one state at a time; each of its attempts has a state of its own. How they follow from the\n"
        "messages is told in [How a job travels](../explanation/how-a-job-travels.md).",
        "## A job\n\n" + _first_line(JobState),
        _table(("state", "meaning"), _meanings(JobState)),
        "## An attempt\n\n" + _first_line(AttemptState),
        _table(("state", "meaning"), _meanings(AttemptState)),
        "## The verdict\n\n" + _first_line(Verdict),
        _table(("verdict",), [(f"`{verdict}`",) for verdict in Verdict]),
        "## The moves\n\nWhat can happen to a job. Nothing else changes its state.",
        _table(("move", "caused by", "from", "to"), moves),
    )


def problem_types() -> str:
    """Every problem document that an answer may be."""
    kinds = sorted(_below(problems.Problem), key=lambda kind: (kind.status, kind.slug))
    rows = [(f"`{kind.slug}`", str(kind.status), kind.title, _first_line(kind)) for kind in kinds]
    return _page(
        "Problems",
        "An answer that says no is a problem document ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457),\n"
        "`application/problem+json`). Its `type` is `"
        + problems.TYPE_PREFIX
        + "` and one of the names below; `detail`\n"
        "says what is wrong and what to do, in words for people that may change.",
        _table(("type", "status", "title", "meaning"), rows),
    )


def settings() -> str:
    """Every setting of a server."""
    rows = [
        (f"`{setting.variable}`", f"`{setting.default}`" if setting.default else "", setting.unit, setting.sentence)
        for setting in SETTINGS
    ]
    return _page(
        "Settings",
        "A server reads these from its environment. A command line's option goes before its variable. The options of\n"
        "`rota worker` and of every other command have variables too: [Command line](cli.md) names them; those of a\n"
        "worker's own limits begin with `ROTA_WORKER_`.",
        _table(("variable", "default", "unit", "meaning"), rows),
    )


def command_line() -> str:
    """The help of every command, as it is printed."""
    context = click.Context(cli, info_name="rota", terminal_width=100, **cli.context_settings)
    parts = [f"```text\n{cli.get_help(context).strip()}\n```"]
    parts += [
        f"## {below.command_path}\n\n```text\n{below.command.get_help(below).strip()}\n```"
        for below in _contexts(cli, context)
    ]
    return _page("Command line", *parts)


def _contexts(group: click.Group, context: click.Context) -> Iterable[click.Context]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            raise SystemExit(f"docs: the command {name} is listed and cannot be had")
        below = click.Context(command, parent=context, info_name=name)
        yield below
        if isinstance(command, click.Group):
            yield from _contexts(command, below)


def _below(kind: type[problems.Problem]) -> Iterable[type[problems.Problem]]:
    for child in kind.__subclasses__():
        yield child
        yield from _below(child)


def _first_line(thing: type) -> str:
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


def _meanings(kind: type[Enum]) -> list[tuple[str, ...]]:
    """Each member with the comment that stands beside it."""
    found = re.findall(r'^ +\w+ = "(\w+)"  # (.+)$', inspect.getsource(kind), flags=re.MULTILINE)
    if [value for value, _ in found] != [member.value for member in kind]:
        raise SystemExit(f"docs: every member of {kind.__name__} needs a comment on its line that says what it means")
    return [(f"`{value}`", meaning) for value, meaning in found]


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _page(title: str, *parts: str) -> str:
    return "\n\n".join((f"# {title}\n\n{NOTE}", *parts)).replace("\n\n\n", "\n\n") + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "states.md": states,
    "problems.md": problem_types,
    "settings.md": settings,
    "cli.md": command_line,
}
"""File in docs/reference → what it must say."""


def main() -> None:
    """Write every page."""
    REFERENCE.mkdir(exist_ok=True)
    for file, text in PAGES.items():
        (REFERENCE / file).write_text(text())


if __name__ == "__main__":
    main()
