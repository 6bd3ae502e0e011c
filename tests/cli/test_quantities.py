"""Durations and sizes as people write and read them."""

import pytest

from rota.cli.quantities import read_duration, read_size, say_duration, say_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("0.5", 0.5), ("90s", 90), ("1h30m", 5400), ("2d", 172800), ("250ms", 0.25), ("1m 30s", None),
     ("", None), ("-5", None), ("1e3", None), ("soon", None), ("5 parsecs", None)],
)  # fmt: skip
def test_a_duration_is_seconds_or_parts_with_units(text: str, seconds: float | None) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("512", 512),
        ("10k", 10_000),
        ("4GiB", 4 * 2**30),
        ("1.5 MB", 1_500_000),
        ("2Ki", 2048),
        ("x", None),
        ("1i", None),
    ],
)
def test_a_size_is_bytes_or_has_a_unit(text: str, size_bytes: int | None) -> None:
    assert read_size(text) == size_bytes


def test_what_is_said_is_short() -> None:
    assert [say_duration(s) for s in (0.04, 9.96, 42.4, 185, 7800, 273_600)] == [
        "0.0 s", "10.0 s", "42 s", "3 min 5 s", "2 h 10 min", "3 d 4 h",
    ]  # fmt: skip
    assert [say_size(size) for size in (0, 999, 4200, 1_300_000_000, 10**15)] == [
        "0 B", "999 B", "4.2 kB", "1.3 GB", "1000.0 TB",
    ]  # fmt: skip
