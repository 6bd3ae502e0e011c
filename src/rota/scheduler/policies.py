"""Policies of one's own: asked within a time limit, checked, and done without where they fail.

Source: docs/decisions/0019-retries-and-policies.md.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from rota.protocol.conditions import wrong_wants
from rota.protocol.decide import Decision, Ended
from rota.protocol.policy import PolicyAnswer
from rota.protocol.resources import wrong_resources
from rota.protocol.retry import asks as asked_for
from rota.protocol.states import JobState, Verdict
from rota.scheduler import decide as usual
from rota.scheduler.question import question, tries_max
from rota.scheduler.rules import is_lost
from rota.world import World

ROUND_S = 2.0
"""Who was not asked within so long is asked in the next round, so that the jobs behind it get their turn."""
FAILURES_MAX = 3
REST_S = 60.0
"""A policy that has cost its time limit so many times within so long is left alone for as long."""

log = logging.getLogger(__name__)


class PolicyFailed(Exception):
    """It gave no answer that can be used; the text says why. `is_costly`: it took its time limit, or a new process."""

    def __init__(self, why: str, *, is_costly: bool = False) -> None:
        super().__init__(why)
        self.is_costly = is_costly


class Policy(Protocol):
    """One that is known by a name."""

    at_once: int
    """How many questions it may be asked at the same time."""

    async def ask(self, body: bytes, key: str) -> PolicyAnswer | None:
        """Its answer to a question in JSON; None: as usual. The same question again has the same `key`.

        Raises PolicyFailed.
        """
        ...

    async def close(self) -> None:
        """Let go of what it holds."""
        ...


class Policies:
    """All that the scheduler knows, by name."""

    def __init__(self, known: Mapping[str, Policy], world: World) -> None:
        self._known, self._world = dict(known), world
        self._failures: dict[str, list[float]] = {}

    @property
    def names(self) -> list[str]:
        """Sorted."""
        return sorted(self._known)

    async def close(self) -> None:
        """End their processes, and hang up."""
        for policy in self._known.values():
            await policy.close()

    async def decide(self, ended: Sequence[Ended]) -> list[Decision]:
        """A decision for each that could be asked now; the others are still undecided, and come again."""
        until_s = self._world.monotonic() + ROUND_S
        turns = {name: asyncio.Semaphore(policy.at_once) for name, policy in self._known.items()}

        async def one(job: Ended) -> Decision | None:
            turn = turns.get(job.spec.policy or "")
            if turn is None or not asks(job):
                return await self._decide(job)
            async with turn:
                return None if self._world.monotonic() > until_s else await self._decide(job)

        decided = await asyncio.gather(*map(one, ended))
        return [decision for decision in decided if decision is not None]

    async def _decide(self, ended: Ended) -> Decision:
        """The policy's word, or, where it gives none, the usual one with the reason in its message."""
        default, name = usual.decide(ended, self._world.random()), ended.spec.policy or ""
        if not asks(ended):
            return default
        policy = self._known.get(name)
        if policy is None:
            return without(default, f"this scheduler knows no policy `{name}`")
        if self._rests(name):
            return without(default, f"policy `{name}` failed time and again and is not asked for a while")
        asked = question(ended, default)
        try:
            answer = await policy.ask(asked, f"{ended.job_id}_{ended.attempt_id}_{ended.tries}")
            return default if answer is None else applied(ended, answer, name)
        except PolicyFailed as failed:
            log.warning("job %s is decided as usual: policy `%s` %s", ended.job_id, name, failed)
            if failed.is_costly:
                self._failures.setdefault(name, []).append(self._world.monotonic())
            return without(default, f"policy `{name}` {failed}")

    def _rests(self, name: str) -> bool:
        since_s = self._world.monotonic() - REST_S
        self._failures[name] = [at for at in self._failures.get(name, []) if at > since_s]
        return len(self._failures[name]) >= FAILURES_MAX


def asks(ended: Ended) -> bool:
    """Whether a policy has a say: of what was cancelled, has expired or was refused, it has none."""
    return (
        ended.spec.policy is not None
        and not ended.cancel_requested
        and (ended.state is JobState.FINISHED or is_lost(ended))
    )


def applied(ended: Ended, answer: PolicyAnswer, name: str) -> Decision:
    """The answer as a decision, within what the job allows. Raises PolicyFailed where it can be none."""
    if (answer.verdict is None) == (answer.again is None):
        raise PolicyFailed(
            "gave both a verdict and another try, or neither; exactly one of `verdict`, `again` is meant"
        )
    told = f"policy `{name}`" + (f": {answer.message}" if answer.message else "")
    if answer.verdict is Verdict.SUCCEEDED and ended.result is None:
        raise PolicyFailed("calls a job `succeeded` that brought no result")
    if answer.verdict is not None:
        return usual.verdict(ended, answer.verdict, told)
    most, again = tries_max(ended.spec), answer.again
    if again is None or ended.tries >= most:
        return usual.verdict(ended, Verdict.FAILED, f"{told}; {ended.tries} of {most} tries used")
    wrong = [*wrong_wants(again.requires, "requires"), *wrong_resources(again.resources, "resources", is_asked=True)]
    if wrong:
        raise PolicyFailed(f"asks for what cannot be: {wrong[0][0]}: {wrong[0][1]}")
    changed = asked_for(again.requires, again.resources)
    message = f"{usual.how(ended)}, try {ended.tries} of {most}, again {usual.when(again.delay_s)}{changed}: {told}"
    return usual.again(ended, message, again.delay_s, None, again.requires or None, again.resources or None)


def without(default: Decision, why: str) -> Decision:
    """The usual decision, and why the policy did not give one."""
    said = f"{default.message.rstrip('.')}; {why}" if default.message else why
    return Decision(
        default.job_id, default.attempt_id, default.state, default.verdict, f"{said}; decided without it",
        default.delay_s, default.rule, default.requires, default.resources,
    )  # fmt: skip
