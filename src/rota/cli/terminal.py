"""What a job wrote, made fit for a terminal.

Colours stay; what moves the cursor, renames windows or writes to the clipboard does not. Source: threats.md, T13.
"""

import codecs
import re

KEPT = re.compile(r"\x1b\[[0-9;:]*[mK]")
"""Colours and styles, and "clear the rest of the line", which progress bars need."""
SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # control sequence
    r"|\x1b[\]PX^_](?:[^\x07\x1b\x9c]|\x1b(?!\\))*(?:\x07|\x1b\\|\x9c)"  # a string to the terminal, and its end
    r"|\x1b[ -/]*[0-Z\\`-~]"  # other escapes
    r"|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]"  # single controls; not tab, line feed, return
    r"|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"  # marks that turn the direction of text around
)
UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_](?:[^\x07\x1b\x9c]|\x1b(?!\\))*\x1b?|[ -/]*)?\Z")
UNFINISHED_MAX = 4096
"""A sequence that is longer than this without an end is none that may be waited for."""
RESET = "\x1b[0m"


class Cleaner:
    """Takes a log's bytes piece by piece and gives text; a sequence cut between two pieces is seen whole."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self.coloured = False

    def clean(self, piece: bytes) -> str:
        """What of it may be shown now."""
        text = self._rest + self._decoder.decode(piece)
        cut = UNFINISHED.search(text)
        self._rest = ""
        if cut is not None and cut.end() > cut.start():
            text, self._rest = text[: cut.start()], text[cut.start() :]
            if len(self._rest) > UNFINISHED_MAX:
                self._rest = self._rest[:2]  # go on swallowing it, without keeping it
        return self._strip(text)

    def finish(self) -> str:
        """What must be written after the last piece."""
        text = self._strip(self._decoder.decode(b"", final=True))
        return text + (RESET if self.coloured else "")

    def _strip(self, text: str) -> str:
        return SEQUENCE.sub(self._judge, text)

    def _judge(self, match: re.Match[str]) -> str:
        if not KEPT.fullmatch(match[0]):
            return ""
        self.coloured = True
        return match[0]


def printable(text: str) -> str:
    """One line of text from elsewhere (a name, a message) without anything that a terminal obeys."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", SEQUENCE.sub("", text))
