"""The moments of a spec: `not_before` one, ended by the `deadline`. Source: protocol.md, "Times of a job"."""

from collections.abc import Iterator

from rota.protocol.wire import parse_timestamp, timestamp


def utc(moment: str | None) -> str | None:
    """As it is stored. Raises ValueError, OverflowError where there is no such moment."""
    return None if moment is None else timestamp(parse_timestamp(moment))


def wrong_moments(not_before: str | None, deadline: str | None) -> Iterator[tuple[str, str]]:
    """Fields that could not work, and what to write instead."""
    moments: dict[str, str | None] = {}
    for field, given in (("not_before", not_before), ("deadline", deadline)):
        try:
            moments[field] = utc(given)
        except (ValueError, OverflowError):
            yield field, "is no moment that there is; write such as 2026-11-23T12:00:00Z"
    first, last = moments.get("not_before"), moments.get("deadline")
    if first is not None and last is not None and last <= first:
        yield "deadline", "is not behind `not_before`: the job could never start"
