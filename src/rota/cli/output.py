"""How `rota` speaks: data on stdout, messages on stderr, colours only where somebody looks, JSON on demand."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

import click

from rota.cli.terminal import printable

OFF = frozenset({"", "0"})
PIPE_CLOSED = 128 + 13
"""As a shell tells that SIGPIPE ended a program."""
GOOD, BAD, IDLE, BUSY = "✓", "✗", "·", "▸"
MARKS: dict[str, tuple[str, str]] = {
    "succeeded": (GOOD, "green"),
    "failed": (BAD, "red"),
    "waiting": (IDLE, "yellow"),
    "queued": (IDLE, "yellow"),
    "assigned": (BUSY, "cyan"),
    "running": (BUSY, "cyan"),
    "finished": (GOOD, "green"),
    "cancelled": (BAD, "yellow"),
    "expired": (BAD, "red"),
    "lost": (BAD, "red"),
    "detached": (IDLE, "yellow"),
    "ready_for_work": (GOOD, "green"),
    "working": (BUSY, "cyan"),
    "draining": (IDLE, "yellow"),
    "offline": (IDLE, "bright_black"),
}
"""A state has a mark and a word; the colour only repeats them."""
MAY_BE_CUT = frozenset({"WHAT", "LABELS", "DESCRIPTION", "NOTE"})
"""Columns that give way first on a narrow terminal."""


class Output:
    """Where the command's words go. `colour` is `auto`, `always` or `never`."""

    def __init__(self, *, colour: str = "auto", as_json: bool = False, quiet: bool = False) -> None:
        self.as_json, self.quiet = as_json, quiet
        self.colours_out = wants_colour(colour, sys.stdout)
        self.colours_err = wants_colour(colour, sys.stderr)

    def data(self, text: str) -> None:
        """A line on stdout."""
        with for_a_reader():
            click.echo(text, color=self.colours_out)

    def json(self, message: object) -> None:
        """The API's shape, on stdout: indented for a person, one line for a program."""
        from rota.protocol.wire import encode  # noqa: PLC0415  (start-up time)

        body = encode(message)
        if is_terminal(sys.stdout):
            import msgspec  # noqa: PLC0415  (start-up time)

            body = msgspec.json.format(body, indent=2)
        with for_a_reader():
            click.echo(body.decode())

    def say(self, text: str) -> None:
        """A line on stderr, for a person; not with --quiet."""
        if not self.quiet:
            click.echo(text, err=True, color=self.colours_err)

    def complain(self, text: str) -> None:
        """A line on stderr that is said in any case."""
        click.echo(text, err=True, color=self.colours_err)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A row each. Where no terminal looks nothing is cut; on one, only the columns that may be (MAY_BE_CUT)."""
        rows = [[click.unstyle(cell) if not self.colours_out else cell for cell in row] for row in rows]
        if is_terminal(sys.stdout):
            self._drawn(columns, rows)
            return
        widths = [max(len(click.unstyle(row[i])) for row in [columns, *rows]) for i in range(len(columns))]
        for row in [columns, *rows]:
            padded = (cell + " " * (width - len(click.unstyle(cell))) for cell, width in zip(row, widths, strict=True))
            self.data("  ".join(padded).rstrip())

    def _drawn(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        from rich.console import Console  # noqa: PLC0415  (start-up time)
        from rich.table import Table  # noqa: PLC0415  (start-up time)
        from rich.text import Text  # noqa: PLC0415  (start-up time)

        table = Table(box=None, pad_edge=False, header_style="bold" if self.colours_out else "")
        for column in columns:
            table.add_column(column, no_wrap=column not in MAY_BE_CUT)
        for row in rows:
            cells = [Text.from_ansi(cell) for cell in row]
            for cell in cells:
                cell.no_wrap, cell.overflow = True, "ellipsis"
            table.add_row(*cells)
        Console(no_color=not self.colours_out, highlight=False).print(table)


@contextmanager
def for_a_reader() -> Iterator[None]:
    """Writing to stdout: where its reader has gone (`rota logs last | head`), the command ends, in silence."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is still buffered
        raise click.exceptions.Exit(PIPE_CLOSED) from None


def wants_colour(choice: str, stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """What --color says; else what NO_COLOR, FORCE_COLOR and CLICOLOR_FORCE say; else whether somebody looks."""
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR", "") not in OFF or environ.get("CLICOLOR_FORCE", "") not in OFF:
        return True
    return is_terminal(stream) and environ.get("TERM") != "dumb"


def is_terminal(stream: TextIO | Any) -> bool:  # noqa: ANN401  (a replaced stream may be anything)
    """Whether a person looks at it."""
    try:
        return bool(stream.isatty())
    except (ValueError, AttributeError):  # closed here, or before this program began
        return False


def marked(state: str) -> str:
    """A state as a mark and a word, coloured."""
    mark, colour = MARKS.get(state, (IDLE, ""))
    text = f"{mark} {printable(state)}"
    return click.style(text, fg=colour) if colour else text
