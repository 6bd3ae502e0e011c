"""refuse job → refuse accepted. Source: flows.md, "WorkerRegistry has an Error"."""

from typing import Annotated, Any

from msgspec import Meta

from rota.protocol.ids import AttemptId
from rota.protocol.problems import Problem
from rota.protocol.wire import Answer, Request

REGISTRY_REASON = "registry"
"""A refusal's reason that starts with this word says: `working` was not acknowledged. The flow shows that arrow."""


class Refusal(Request, frozen=True):
    """One job given back unstarted, and why."""

    attempt_id: AttemptId
    reason: Annotated[str, Meta(max_length=1000)]


class RefuseJob(Request, frozen=True):
    """Jobs given back unstarted. A refused job is queued at its old place; the try does not count."""

    attempts: Annotated[list[Refusal], Meta(min_length=1, max_length=10_000)]


class Rejected(Answer, frozen=True):
    """An attempt of the batch that the answer does not cover, and the problem (RFC 9457) that says why."""

    attempt_id: AttemptId
    problem: dict[str, Any]

    @classmethod
    def because(cls, attempt_id: AttemptId, problem: Problem) -> "Rejected":
        """As sent."""
        return cls(attempt_id, problem.body())


class RefuseAccepted(Answer, frozen=True):
    """Each attempt is answered for itself, so that a stale one does not spoil the batch."""

    accepted: list[AttemptId]
    rejected: list[Rejected] = []
