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
MAY_BE_CUT = (("WHAT", 12), ("LABELS", 6), ("DESCRIPTION", 11), ("NOTE", 4), ("ENVIRONMENT", 7), ("WHAT", 4))
"""Columns that give way on a narrow terminal, in this order, each down to so many cells; no other is ever cut."""
GAP = "  "


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

    def name(self, text: str) -> str:
        """A file's name, as `ls` tells it: as it is into a pipe, on a terminal quoted where it is no plain line."""
        return text if not is_terminal(sys.stdout) else quoted(text)

    def say(self, text: str) -> None:
        """A line on stderr, for a person; not with --quiet."""
        if not self.quiet:
            click.echo(text, err=True, color=self.colours_err)

    def complain(self, text: str) -> None:
        """A line on stderr that is said in any case."""
        click.echo(text, err=True, color=self.colours_err)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A row each. Where no terminal looks nothing is cut; on one, only the columns that may be (MAY_BE_CUT).

        A row that is still too long for the terminal goes on in the next line: no id and no state is ever cut.
        """
        rows = [[click.unstyle(cell) if not self.colours_out else cell for cell in row] for row in rows]
        if is_terminal(sys.stdout):
            self._drawn(columns, rows)
            return
        widths = [max(len(click.unstyle(row[i])) for row in [columns, *rows]) for i in range(len(columns))]
        for row in [columns, *rows]:
            padded = (cell + " " * (width - len(click.unstyle(cell))) for cell, width in zip(row, widths, strict=True))
            self.data(GAP.join(padded).rstrip())

    def _drawn(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        from rich.console import Console  # noqa: PLC0415  (start-up time)
        from rich.text import Text  # noqa: PLC0415  (start-up time)

        console = Console(no_color=not self.colours_out, highlight=False, soft_wrap=True)
        head = [Text(column, style="bold" if self.colours_out else "") for column in columns]
        lines = [head, *([Text.from_ansi(cell) for cell in row] for row in rows)]
        natural = [max(line[i].cell_len for line in lines) for i in range(len(columns))]
        widths = fitted(columns, natural, console.width)
        for line in lines:
            for cell, width in zip(line, widths, strict=True):
                cell.truncate(width, overflow="ellipsis", pad=True)
            row = Text(GAP).join(line)
            row.rstrip()
            console.print(row)


def fitted(columns: Sequence[str], natural: Sequence[int], room: int) -> list[int]:
    """Each column's width in cells: its natural one, less what those that may be cut give for the sake of `room`."""
    widths = list(natural)
    for name, least in MAY_BE_CUT:
        over = sum(widths) + len(GAP) * (len(widths) - 1) - room
        if over > 0 and name in columns:
            at = columns.index(name)
            widths[at] = max(min(least, widths[at]), widths[at] - over)
    return widths


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


def quoted(text: str) -> str:
    """The name; where a terminal would obey something in it, as a shell's `$'…'`."""
    if printable(text) == text:
        return text
    plain = text.replace("\\", "\\\\").replace("'", "\\'")
    return "$'" + "".join(letter if printable(letter) == letter else escaped(letter) for letter in plain) + "'"


def escaped(letter: str) -> str:
    """An `n` behind a backslash, or a code point in hexadecimal: one letter in a shell's `$'…'`."""
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(letter, f"\\u{ord(letter):04x}")


def marked(state: str) -> str:
    """A state as a mark and a word, coloured."""
    mark, colour = MARKS.get(state, (IDLE, ""))
    text = f"{mark} {printable(state)}"
    return click.style(text, fg=colour) if colour else text
