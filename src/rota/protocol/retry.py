"""When what has ended is tried once more: `retry` and `success_exit_codes` of a spec. Source: protocol.md, `retry`."""

import functools
import re
import signal
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

from msgspec import Meta

from rota.protocol.conditions import SubmittedWanted, Wants, said, wrong_wants
from rota.protocol.resources import Resources, wrong_resources
from rota.protocol.wire import Answer

TRIES_MAX = 1000
"""Most tries that a spec may ask for."""
RULES_MAX = 50
PATTERN_LENGTH_MAX = 1000
TAIL_LINES = 100
TAIL_SIZE_BYTES = 16 * 1024
"""A rule's `log` is looked for in a log's last lines: at most so many, and no more than so many bytes."""
BACKOFF_S_MAX = 300.0
"""Longest pause where a `backoff` does not say."""

Delay = Annotated[float, Meta(ge=0, le=10 * 365 * 86400)]
Codes = list[int | str]
"""Exit codes, each a number or a range such as "100-120", both ends included."""

_RANGE = re.compile(r"([0-9]{1,10})-([0-9]{1,10})")
_CODE_MIN, _CODE_MAX = -(2**31), 2**32
_REAL_TIME = re.compile(r"SIGRTMIN(\+\d{1,2})?")


class RetryReason(StrEnum):
    """Ends that a rule can name, beside exit codes and signals."""

    LOST = "lost"  # its worker vanished
    TIMED_OUT = "timed_out"  # stopped after timeout_s
    OUT_OF_MEMORY = "out_of_memory"
    NOT_STARTED = "not_started"  # the process could not be made
    REFUSED = "refused"  # given back unstarted: no try, and tried again in any case


class Backoff(Answer, frozen=True, omit_defaults=True):
    """Before try n + 1 there is a pause of `initial_s` * `factor` ** (n - 1), at most `max_s`.

    Chance takes up to the part `jitter` of it away.
    """

    initial_s: Delay = 1.0
    factor: Annotated[float, Meta(ge=1, le=1000)] = 2.0
    max_s: Delay | None = None
    jitter: Annotated[float, Meta(ge=0, le=1)] = 0.0

    @property
    def longest_s(self) -> float:
        """No pause is longer."""
        return max(BACKOFF_S_MAX, self.initial_s) if self.max_s is None else self.max_s


class Rule(Answer, frozen=True, omit_defaults=True):
    """Ends that are tried again: those that all the keys which are given match; and what the next try changes.

    `max`: how often the rule applies to one job. `requires`, `resources`: what is asked for from then on, beside the
    spec's own.
    """

    exit_codes: Codes | None = None
    signals: list[str] | None = None
    reasons: list[RetryReason] | None = None
    log: str | None = None
    delay_s: Delay | None = None
    max: Annotated[int, Meta(ge=1, le=TRIES_MAX)] | None = None
    requires: Wants = {}
    resources: Resources = {}


class Retry(Answer, frozen=True, omit_defaults=True):
    """At most `max_attempts` tries in all. `on` left out: whatever is not `succeeded`; `backoff` left out: at once."""

    max_attempts: Annotated[int, Meta(ge=1, le=TRIES_MAX)]
    on: list[Rule] | None = None
    backoff: Backoff | None = None


class SubmittedBackoff(Backoff, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The same, strict."""


class SubmittedRule(Rule, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The same, strict."""

    requires: Mapping[str, SubmittedWanted] = {}


class SubmittedRetry(Retry, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The same, strict."""

    on: list[SubmittedRule] | None = None  # type: ignore[assignment]  # a list is never written to
    backoff: SubmittedBackoff | None = None


def asks(requires: Wants, resources: Resources) -> str:
    """` with mem=big, memory_bytes 64000000000`; nothing where nothing is asked for."""
    told = [said(label, wanted) for label, wanted in requires.items()]
    told += [f"{name} {amount}" for name, amount in resources.items()]
    return f" with {', '.join(told)}" if told else ""


def has_code(codes: Sequence[int | str], code: int) -> bool:
    """Whether the exit code is one of them."""
    for one in codes:
        if isinstance(one, int):
            if one == code:
                return True
        elif (ends := _RANGE.fullmatch(one)) is not None and int(ends[1]) <= code <= int(ends[2]):
            return True
    return False


@functools.lru_cache(maxsize=256)
def compiled(pattern: str) -> Any:  # noqa: ANN401  (re2 has no types)
    """A rule's `log`, to search with; `^` and `$` are a line's. Raises ValueError with what to write instead."""
    import re2  # noqa: PLC0415  (start-up time: who only reads specs never needs it)

    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)  # by itself first: what is told of it is told in its own words
        return re2.compile(f"(?m){pattern}", options)
    except (re2.error, UnicodeEncodeError) as error:
        why = error.args[0]
        raise ValueError(_instead(why.decode("utf-8", "replace") if isinstance(why, bytes) else str(why))) from None


def wrong_retry(retry: Retry | None, success: Codes | None) -> Iterator[tuple[str, str]]:
    """Fields that could not work, and what to write instead."""
    yield from _wrong_codes(
        [0] if success is None else success, "success_exit_codes", "no exit code would be a success; such as [0, 3]"
    )
    if retry is None:
        return
    backoff = retry.backoff
    if backoff is not None and backoff.max_s is not None and backoff.max_s < backoff.initial_s:
        yield "retry.backoff.max_s", f"is less than `initial_s`, which is {backoff.initial_s:g}"
    if retry.on is not None and not retry.on:
        yield "retry.on", "is empty: nothing would be tried again; left out, whatever is not `succeeded` is"
    if retry.on is not None and len(retry.on) > RULES_MAX:
        yield "retry.on", f"has at most {RULES_MAX} rules"
        return
    for index, rule in enumerate(retry.on or []):
        yield from _wrong_rule(rule, f"retry.on[{index}]")


def _wrong_rule(rule: Rule, at: str) -> Iterator[tuple[str, str]]:
    named = {"exit_codes": rule.exit_codes, "signals": rule.signals, "reasons": rule.reasons, "log": rule.log}
    given = [key for key, value in named.items() if value is not None]
    if not given:
        yield at, 'names no end; give one of exit_codes, signals, reasons, log, such as {"exit_codes": [75]}'
    for key in given:
        if not named[key]:
            yield f"{at}.{key}", "is empty, and nothing would match; leave it out"
    yield from _wrong_codes(rule.exit_codes or [0], f"{at}.exit_codes", "nothing would match")
    yield from _wrong_signals(rule.signals or [], f"{at}.signals")
    yield from _wrong_together(rule, given, at)
    if rule.log is not None:
        yield from _wrong_pattern(rule.log, f"{at}.log")
    yield from wrong_wants(rule.requires, f"{at}.requires")
    yield from wrong_resources(rule.resources, f"{at}.resources", is_asked=True)


def _wrong_signals(names: Sequence[str], field: str) -> Iterator[tuple[str, str]]:
    for name in names:
        if name not in signal.Signals.__members__ and not _REAL_TIME.fullmatch(name):
            meant = f"SIG{name.upper()}"
            instead = f"; write {meant}" if meant in signal.Signals.__members__ else ", such as SIGKILL"
            yield field, f"`{name}` is no signal's name{instead}"


def _wrong_together(rule: Rule, given: Sequence[str], at: str) -> Iterator[tuple[str, str]]:
    """Keys that no end can match all at once."""
    reasons = set(rule.reasons or [])
    if {"exit_codes", "signals"} <= set(given):
        yield at, "an end has an exit code or a signal, and all keys of a rule must match; make two rules of it"
    elif {"exit_codes", "signals"} & set(given) and reasons and not reasons - _WITHOUT_PROCESS:
        yield at, f"what is {' or '.join(sorted(reasons))} has no exit code and no signal; make two rules of it"
    if RetryReason.REFUSED in reasons and (len(reasons) > 1 or len(given) > 1):
        yield at, "`refused` stands in a rule of its own: it is no end of a try"


_WITHOUT_PROCESS = {RetryReason.LOST, RetryReason.REFUSED}


def _wrong_codes(codes: Codes, field: str, empty: str) -> Iterator[tuple[str, str]]:
    if not codes:
        yield field, f"is empty: {empty}"
    for code in codes:
        if isinstance(code, int):
            if not _CODE_MIN <= code < _CODE_MAX:
                yield field, f"{code} is no exit code"
            continue
        ends = _RANGE.fullmatch(code)
        if ends is None:
            what = f"write {code}, a number" if code.isdecimal() else 'write a number (75) or a range ("100-120")'
            yield field, f"`{code}` is no range of exit codes; {what}"
        elif int(ends[1]) > int(ends[2]):
            yield field, f"`{code}` ends before it begins; write {ends[2]}-{ends[1]}"
        elif int(ends[2]) >= _CODE_MAX:
            yield field, f"{ends[2]} is no exit code"


def _wrong_pattern(pattern: str, field: str) -> Iterator[tuple[str, str]]:
    if len(pattern) > PATTERN_LENGTH_MAX:
        yield field, f"has at most {PATTERN_LENGTH_MAX} characters"
        return
    try:
        compiled(pattern)
    except ValueError as error:
        yield field, str(error)


def _instead(error: str) -> str:
    """What to write for what RE2 does not know: it searches in linear time, whatever the log."""
    what = error.rpartition(": ")[2]
    if error.startswith("invalid perl operator") and what.startswith(("(?=", "(?!", "(?<")):
        return (
            f"`{what}` looks ahead or behind, for which no time is known to be enough; name what the line itself holds"
        )
    if error.startswith(("invalid escape sequence: \\", "invalid perl operator: (?P")) and what[-1:] in "123456789P":
        return f"`{what}` refers back to a group, for which no time is known to be enough; write out what it stands for"
    if error.startswith(("bad repetition operator", "invalid perl operator: (?>")):
        return f"`{what}` is not needed: nothing is ever tried twice here; write the plain group, or `+`"
    if error.startswith("invalid repetition size"):
        return f"`{what}` repeats more than 1000 times; write `*` or `+`"
    return f"is no regular expression as RE2 knows them: {error}"
