"""The options of `run` and `submit` on what follows an end, and the fields of a spec that they make."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from rota.cli.command import option
from rota.cli.quantities import Duration
from rota.protocol.retry import RetryReason

F = TypeVar("F", bound=Callable[..., Any])

SHORT = {"timeout": RetryReason.TIMED_OUT, "oom": RetryReason.OUT_OF_MEMORY}
"""Words beside those of the protocol, which may be written with `-` too."""
LISTED = {"exit": "exit_codes", "signal": "signals"}
KNOWN = "exit=75, exit=100-120, signal=SIGKILL, lost, timeout, oom, not-started, log=REGEX"


def retry_options(function: F) -> F:
    """Adds them to a command; they come as SpecOptions' arguments."""
    for decorate in reversed(
        [
            option("--retries", metavar="N", type=click.IntRange(0, 999),
                   help="Try it up to so many times more; which ends, --retry-on says.", show_default="a lost worker "
                   "only"),
            option("--retry-on", metavar="END", multiple=True, show_default="whatever does not succeed",
                   help=f"An end to try again after: {KNOWN}. Several with commas; repeatable."),
            option("--backoff", metavar="S", type=Duration(), show_default="none",
                   help="The pause before the second try; each later one is twice as long, up to 5 min."),
            option("--success-exit", metavar="CODE", multiple=True, show_default="0",
                   help="Exit codes that are a success: 0, 3, 10-19. Several with commas; repeatable."),
            option("--policy", metavar="NAME", help="The policy, known to the scheduler, that says what follows."),
        ]
    ):  # fmt: skip
        function = decorate(function)
    return function


def retry_of(retries: int | None, on: Sequence[str], backoff: float | None) -> dict[str, Any] | None:
    """A spec's `retry`; None where nothing was given. Raises click.UsageError."""
    if retries is None:
        if on or backoff is not None:
            what = "--retry-on" if on else "--backoff"
            raise click.UsageError(f"{what} says when to try again; --retries N says how often.")
        return None
    retry: dict[str, Any] = {"max_attempts": retries + 1}
    rules = rules_of(on)
    if rules:
        retry["on"] = rules
    if backoff is not None:
        retry["backoff"] = {"initial_s": backoff}
    return retry


def rules_of(on: Sequence[str]) -> list[dict[str, Any]]:
    """A rule for each kind of end, and one for each pattern. Raises click.UsageError."""
    listed: dict[str, list[Any]] = {}
    patterns: list[str] = []
    for given in on:
        rest = given
        while rest:
            if rest.startswith("log="):  # a pattern may hold commas, so it is the last of its option
                patterns.append(rest.removeprefix("log="))
                break
            word, _, rest = rest.partition(",")
            kind, equals, value = word.strip().partition("=")
            if kind in LISTED and value:
                listed.setdefault(LISTED[kind], []).append(code_of(value) if kind == "exit" else value)
            elif not equals and (reason := SHORT.get(kind, kind.replace("-", "_"))) in set(RetryReason):
                listed.setdefault("reasons", []).append(str(reason))
            else:
                raise click.UsageError(f"--retry-on: `{word.strip()}` is no end. Write one of: {KNOWN}.")
    refused = str(RetryReason.REFUSED)
    if refused in listed.get("reasons", []):
        raise click.UsageError("--retry-on: what is refused is offered again in any case, and is no try.")
    return [{key: value} for key, value in listed.items()] + [{"log": pattern} for pattern in patterns]


def codes_of(given: Sequence[str]) -> list[int | str]:
    """Exit codes and ranges, as a spec has them; the server says which cannot be."""
    return [code_of(word.strip()) for text in given for word in text.split(",") if word.strip()]


def code_of(text: str) -> int | str:
    """`75` as a number; a range stays a text."""
    return int(text) if text.lstrip("-").isascii() and text.lstrip("-").isdigit() and text.count("-") < 2 else text  # noqa: PLR2004
