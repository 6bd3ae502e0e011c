"""What follows an end: a plain function of the ended job. Source: flows.md, "Job has Non-Zero Exitcode"."""

from rota.protocol.conditions import Wants
from rota.protocol.decide import DELAY_S_MAX, Decision, Ended
from rota.protocol.job_finished import Reason
from rota.protocol.resources import Resources
from rota.protocol.retry import Retry, RetryReason, asks, has_code
from rota.protocol.states import JobState, Verdict
from rota.scheduler.rules import ANY, is_left, is_lost, is_refused, matching, pause_s

LOSSES_MAX = 3
"""A job whose worker vanished is tried again until that many of its attempts were lost, where its spec says nothing."""


def decide(ended: Ended, chance: float = 0.0) -> Decision:
    """The scheduler's word; `chance`, from 0 to 1, spreads the pauses.

    An exit code of `success_exit_codes` succeeds. Of all else `retry` says whether it is tried again; a lost attempt
    that it says nothing about is, while its limit is not reached. What somebody cancelled or has expired never is, and
    what ended only after its deadline is failed.
    """
    if is_refused(ended) and not ended.cancel_requested:
        return _after_refusal(ended, chance)
    if succeeded(ended) and not ended.is_overdue:
        told = f"try {ended.tries} succeeded" if ended.tries > 1 and ended.spec.awaits_verdict else None
        return verdict(ended, Verdict.SUCCEEDED, told)
    if ended.cancel_requested or ended.state in {JobState.CANCELLED, JobState.EXPIRED}:
        is_late = ended.state is JobState.FINISHED and ended.spec.awaits_verdict and not ended.is_overdue
        return verdict(ended, Verdict.FAILED, "cancelled while it ran; not tried again" if is_late else None)
    if ended.spec.retry is not None:
        return _by_rules(ended, ended.spec.retry, chance)
    if is_lost(ended) and ended.losses < LOSSES_MAX:
        return again(ended)
    vanished = f"Its worker vanished {ended.losses} times; no try is left."
    return verdict(ended, Verdict.FAILED, vanished if is_lost(ended) else None)


def succeeded(ended: Ended) -> bool:
    """No result is never a success."""
    result = ended.result
    return (
        ended.state is JobState.FINISHED
        and result is not None
        and result.reason is Reason.EXITED
        and result.exit_code is not None
        and has_code(ended.spec.success_exit_codes or [0], result.exit_code)
    )


def how(ended: Ended) -> str:
    """`exit 75`, `killed by SIGKILL`, `timed out`, `its worker vanished`."""
    result = ended.result
    if is_lost(ended) or result is None:
        return "its worker vanished" if is_lost(ended) else "no result"
    if result.reason is Reason.EXITED:
        return f"exit {result.exit_code}"
    if result.reason is Reason.SIGNALED:
        return f"killed by {result.signal}"
    return str(result.reason).replace("_", " ")


def verdict(ended: Ended, word: Verdict, message: str | None = None) -> Decision:
    """The last word on this end."""
    return Decision(ended.job_id, ended.attempt_id, ended.state, word, message)


def again(
    ended: Ended,
    message: str | None = None,
    delay_s: float = 0.0,
    rule: int | None = None,
    requires: Wants | None = None,
    resources: Resources | None = None,
) -> Decision:
    """One more try."""
    delay_s = min(delay_s, DELAY_S_MAX)
    return Decision(ended.job_id, ended.attempt_id, ended.state, None, message, delay_s, rule, requires, resources)


def when(delay_s: float) -> str:
    """`at once`, `in 12 s`."""
    return f"in {delay_s:.3g} s" if 0 < delay_s < 1000 else f"in {delay_s:.0f} s" if delay_s else "at once"  # noqa: PLR2004


def _by_rules(ended: Ended, retry: Retry, chance: float) -> Decision:
    tried = f"try {ended.tries} of {retry.max_attempts}"
    if ended.tries >= retry.max_attempts:
        return verdict(ended, Verdict.FAILED, f"{ended.tries} of {retry.max_attempts} tries used")
    rules, matched = retry.on or [ANY], matching(ended, retry)
    for index in matched:
        rule = rules[index]
        if is_left(rule, index, ended):
            delay_s = pause_s(retry.backoff, rule, ended.tries, chance)
            told = f"{how(ended)}, {tried}, again {when(delay_s)}{asks(rule.requires, rule.resources)}"
            place = None if retry.on is None else index
            return again(ended, told, delay_s, place, rule.requires or None, rule.resources or None)
    names_lost = any(RetryReason.LOST in (rule.reasons or ()) for rule in rules)
    if is_lost(ended) and not names_lost and ended.losses < LOSSES_MAX:
        return again(ended, f"{how(ended)}, {tried}, again at once")
    why = "the rules that match are used up" if matched else "no rule of its `retry.on` matches"
    return verdict(ended, Verdict.FAILED, f"{tried}: {why}")


def _after_refusal(ended: Ended, chance: float) -> Decision:
    """Never an end: where no rule is left, it is queued again as any refused job is."""
    retry = ended.spec.retry
    if retry is None or retry.on is None:
        return again(ended)
    for index in matching(ended, retry):
        rule = retry.on[index]
        if is_left(rule, index, ended):
            delay_s = pause_s(None, rule, ended.refusals, chance)
            told = f"refused {ended.refusals} times in a row, offered again {when(delay_s)}" if delay_s else None
            return again(ended, told, delay_s, index, rule.requires or None, rule.resources or None)
    return again(ended)
