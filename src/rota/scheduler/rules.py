"""Which rule of a `retry` an end matches, and how long the pause is: plain functions. Source: protocol.md, `retry`."""

import math

from rota.protocol.decide import Ended
from rota.protocol.job_finished import Reason
from rota.protocol.retry import Backoff, Retry, RetryReason, Rule, compiled, has_code
from rota.protocol.states import AttemptState, JobState

_EXPONENT_MAX = 700.0
"""The exponential of more is no number."""

ANY = Rule()
"""What stands where `on` is left out: whatever is not `succeeded`."""


def is_lost(ended: Ended) -> bool:
    """Its worker vanished."""
    return ended.state is JobState.WAITING and not is_refused(ended)


def is_refused(ended: Ended) -> bool:
    """It was given back unstarted, and its spec has a rule on that."""
    return ended.state is JobState.WAITING and ended.attempt is AttemptState.REFUSED


def matching(ended: Ended, retry: Retry) -> list[int]:
    """The rules that match this end, by their places."""
    if retry.on is None:
        return [] if is_refused(ended) else [0]
    return [index for index, rule in enumerate(retry.on) if matches(rule, ended)]


def is_left(rule: Rule, index: int, ended: Ended) -> bool:
    """Whether the rule may apply once more to this job."""
    return rule.max is None or index >= len(ended.by_rule) or ended.by_rule[index] < rule.max


def matches(rule: Rule, ended: Ended) -> bool:
    """Whether all keys of the rule match. How Rota itself stopped a job counts where `reasons` names it alone."""
    if is_refused(ended):
        return RetryReason.REFUSED in (rule.reasons or ())
    result = ended.result
    if rule.reasons is not None and _reason(ended) not in rule.reasons:
        return False
    if rule.exit_codes is not None or rule.signals is not None:
        if result is None or (result.reason is Reason.TIMED_OUT and rule.reasons is None):
            return False
        if rule.exit_codes is not None and (
            result.exit_code is None or not has_code(rule.exit_codes, result.exit_code)
        ):
            return False
        if rule.signals is not None and result.signal not in rule.signals:
            return False
    return rule.log is None or compiled(rule.log).search(ended.log_tail or "") is not None


def pause_s(backoff: Backoff | None, rule: Rule, tries: int, chance: float) -> float:
    """Seconds before the try that follows try number `tries`. `chance`: from 0 to 1."""
    if rule.delay_s is not None:
        return rule.delay_s
    if backoff is None or backoff.initial_s == 0:
        return 0.0
    longest_s = backoff.longest_s
    grown = max(0, tries - 1) * math.log(backoff.factor)  # as a logarithm: the power itself may be no number
    full_s = longest_s if grown > _EXPONENT_MAX else min(longest_s, backoff.initial_s * math.exp(grown))
    return full_s * (1 - backoff.jitter * chance)


def _reason(ended: Ended) -> str | None:
    if is_lost(ended):
        return RetryReason.LOST
    return None if ended.result is None else str(ended.result.reason)
