"""How many of a group may be at work, and how often one may begin. Source: protocol.md, "concurrency"."""

from typing import Annotated

from msgspec import Meta

from rota.protocol.wire import Answer

SEATS_MAX = 10_000
"""Most seats of a group: they are counted at each release."""
PER_S_MAX = 86_400.0
"""Longest time that a rate looks back."""


class Rate(Answer, frozen=True):
    """At most `count` of the group are let in within any `per_s` seconds."""

    count: Annotated[int, Meta(ge=1, le=SEATS_MAX)]
    per_s: Annotated[float, Meta(gt=0, le=PER_S_MAX)]


class SubmittedRate(Rate, frozen=True, forbid_unknown_fields=True):
    """The same, strict."""


class Concurrency(Answer, frozen=True, omit_defaults=True):
    """The job's group, one of its environment, in which `limit` jobs may hold a seat at a time.

    With `cancel_in_progress` those that hold a seat, or wait for one, are cancelled when it comes.
    """

    group: Annotated[str, Meta(min_length=1, max_length=200)]
    limit: Annotated[int, Meta(ge=1, le=SEATS_MAX)] = 1
    cancel_in_progress: bool = False
    rate: Rate | None = None


class SubmittedConcurrency(Concurrency, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The same, strict."""

    rate: SubmittedRate | None = None
