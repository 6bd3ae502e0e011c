"""What a job wrote, made fit for a terminal. Source: threats.md, T13."""

import pytest

from rota.cli.terminal import Cleaner, printable

HARMFUL = {
    "window title": b"\x1b]0;title\x07",
    "clipboard": b"\x1b]52;c;ZXZpbA==\x1b\\",
    "clear the screen": b"\x1b[2J",
    "cursor": b"\x1b[10;10H",
    "report": b"\x1b[6n",
    "device control": b"\x1bPq#0;2;0;0;0\x1b\\",
    "application": b"\x1b_x\x1b\\",
    "privacy": b"\x1b^x\x1b\\",
    "reset": b"\x1bc",
    "character set": b"\x1b(0",
    "single byte control": "\u009b2J".encode(),
    "single byte string": "\u009d0;x".encode(),
    "bell and backspace": b"\x07\x08",
    "text turned around": "\u202e\u2066".encode(),
}


@pytest.mark.parametrize("harm", HARMFUL)
@pytest.mark.parametrize("pieces", ["whole", "byte by byte"])
def test_what_a_terminal_would_obey_is_left_out_however_it_is_cut(harm: str, pieces: str) -> None:
    """Source: guarantees.md, F28."""
    cleaner, log = Cleaner(), b"before " + HARMFUL[harm] + b" after\n"
    parts = [log] if pieces == "whole" else [log[i : i + 1] for i in range(len(log))]
    shown = "".join(map(cleaner.clean, parts)) + cleaner.finish()

    assert shown.startswith("before ")
    assert shown.endswith(" after\n")
    assert not any(character < " " and character != "\n" for character in shown)
    assert "\u009b" not in shown
    assert "\u202e" not in shown


@pytest.mark.parametrize("pieces", ["whole", "byte by byte"])
def test_colours_tabs_progress_bars_and_every_script_stay(pieces: str) -> None:
    text = "\x1b[1;38;5;196mred\x1b[0m\tä 漢 🎉\r50 %\x1b[K\n"
    cleaner, log = Cleaner(), text.encode()
    parts = [log] if pieces == "whole" else [log[i : i + 1] for i in range(len(log))]

    assert "".join(map(cleaner.clean, parts)) == text
    assert cleaner.finish() == "\x1b[0m", "the prompt behind it has its own colours"


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    cleaner = Cleaner()

    assert cleaner.clean(b"a\xffb\xc3") + cleaner.finish() == "a\ufffdb\ufffd"


def test_a_string_that_never_ends_is_not_kept_in_memory_and_not_shown() -> None:
    cleaner = Cleaner()
    shown = cleaner.clean(b"\x1b]0;") + "".join(cleaner.clean(b"x" * 1000) for _ in range(100))

    assert shown == ""
    assert cleaner.clean(b"x\x07after") == "after"


def test_a_name_is_one_line_that_says_nothing_to_the_terminal() -> None:
    assert printable("a\x1b]0;x\x07b\nc\x00d") == "ab cd"
