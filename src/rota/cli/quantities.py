"""Durations and sizes as people write and read them."""

import re

import click

UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
MULTIPLES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?", re.IGNORECASE)
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400
FEW_S = 10


class Duration(click.ParamType[float]):
    """Seconds, or `90s`, `1h30m`, `2d`."""

    name = "DURATION"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        seconds = read_duration(str(value))
        if seconds is None:
            self.fail(f"`{value}` is no duration. Write seconds (90), or such as 90s, 1h30m, 2d.", param, ctx)
        return seconds


def read_duration(text: str) -> float | None:
    """Seconds; None where the text is no duration."""
    text = text.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return float(sum(float(number) * UNITS_S[unit] for number, unit in parts))


def say_duration(seconds: float) -> str:
    """`0.2 s`, `42 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`."""
    if seconds < FEW_S:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < MINUTE_S:
        return f"{whole} s"
    if whole < HOUR_S:
        return f"{whole // MINUTE_S} min {whole % MINUTE_S} s"
    if whole < DAY_S:
        return f"{whole // HOUR_S} h {whole % HOUR_S // MINUTE_S} min"
    return f"{whole // DAY_S} d {whole % DAY_S // HOUR_S} h"


def read_size(text: str) -> int | None:
    """Bytes of `512`, `10k`, `4GiB`; None where the text is no size."""
    match = SIZE.fullmatch(text.strip())
    if match is None:
        return None
    number, prefix, binary = match.groups()
    if binary and not prefix:
        return None
    powers = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
    factor = 1024 ** powers[prefix.lower()] if binary else MULTIPLES[prefix.lower()]
    return int(float(number) * factor)


def say_size(size_bytes: float) -> str:
    """`17 B`, `4.2 kB`, `1.3 GB`."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:  # noqa: PLR2004  (SI)
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
