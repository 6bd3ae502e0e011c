"""`rota submit --file`: specs out of a file, as the API takes them: JSON, or TOML."""

import json
import math
import sys
import tomllib
from typing import Any

import click

FILE_MAX = 64 * 1024 * 1024
"""Longest file, in characters: as much as the server takes in one request."""


def read_specs(file: str) -> tuple[list[dict[str, Any]], bool]:
    """The specs, and whether they are the several of `{"jobs": [...]}`. Raises click.UsageError for what cannot be any.

    A file whose name ends in .toml is TOML (`[[jobs]]`); all else is JSON.
    """
    text = _read(file)
    try:
        read: Any = tomllib.loads(text) if file.endswith(".toml") else json.loads(text)
    except (ValueError, RecursionError) as error:  # both decoders' own errors are ValueErrors
        raise click.UsageError(f"--file: {file} cannot be read: {error}.") from None
    if (odd := _not_finite(read)) is not None:
        raise click.UsageError(f"--file: {file} holds the number {odd}, which no field takes.")
    if isinstance(read, list):
        read = {"jobs": read}
    if not isinstance(read, dict):
        raise click.UsageError(f'--file: {file} holds neither a spec nor {{"jobs": [spec, …]}}.')
    jobs = read.get("jobs", [read])
    if not isinstance(jobs, list) or not jobs or not all(isinstance(one, dict) for one in jobs):
        raise click.UsageError(f"--file: `jobs` in {file} is no list of specs.")
    if "jobs" in read and len(read) > 1:
        other = next(field for field in read if field != "jobs")
        raise click.UsageError(f"--file: `{other}` stands beside `jobs` in {file}; put it into the specs.")
    return jobs, "jobs" in read


def _not_finite(value: Any) -> float | None:  # noqa: ANN401  (any JSON)
    """A number that is none, or has no end: JSON has no word for it, and it would be left out in silence."""
    if isinstance(value, float):
        return None if math.isfinite(value) else value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((odd for one in inner if (odd := _not_finite(one)) is not None), None)


def _read(file: str) -> str:
    if file == "-" and sys.stdin is None:
        raise click.UsageError("--file: there is no stdin to read; it is closed.")
    try:
        with click.open_file(file, encoding="utf-8") as opened:
            text = str(opened.read(FILE_MAX + 1))
    except UnicodeDecodeError:
        raise click.UsageError(f"--file: {file} is no text in UTF-8.") from None
    except OSError as error:
        raise click.UsageError(f"--file: {file}: {error.strerror}.") from None
    if len(text) > FILE_MAX:
        raise click.UsageError(f"--file: {file} is longer than {FILE_MAX} characters.")
    return text
