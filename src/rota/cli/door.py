"""What every command line is asked at the door: that there is a stdout, and that what was typed is text in UTF-8."""

import io
import sys
from collections.abc import Mapping, Sequence


def check(words: Sequence[str], environ: Mapping[str, str]) -> None:
    """Raise Failure where the words, or Rota's variables, could not be sent on, or nobody could read the answer."""
    if sys.stdout is None:
        raise _refusal("There is no stdout to write to: it is closed.", "Open it; >/dev/null will do.")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a mark that a terminal lacks ends no command
    for number, word in enumerate(words, start=1):
        if not is_text(word):
            raise _refusal(f"Argument {number}, `{legible(word)}`, is no text in UTF-8.", "Write it in UTF-8.")
    for name, value in environ.items():
        if name.startswith("ROTA_") and not is_text(value):
            raise _refusal(f"The variable {legible(name)} is no text in UTF-8.", "Write it in UTF-8, or unset it.")


def is_text(text: str) -> bool:
    """Whether it can be sent; what the system handed over as other bytes cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def legible(text: str) -> str:
    """The text with `?` for what is none."""
    return text.encode(errors="replace").decode()


def _refusal(what: str, advice: str) -> Exception:
    from rota.cli.exit_codes import Code  # noqa: PLC0415  (start-up time)
    from rota.cli.failure import Failure  # noqa: PLC0415  (start-up time)

    return Failure(what, advice, Code.USAGE)
