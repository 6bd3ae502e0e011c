"""The decision on any end whatever: total, deterministic, bounded. Source: decision 0019."""

from hypothesis import given
from hypothesis import strategies as st

from rota.protocol.decide import DELAY_S_MAX, Ended
from rota.protocol.ids import AttemptId, JobId
from rota.protocol.job_finished import Reason, Result
from rota.protocol.retry import Backoff, Retry, RetryReason, Rule, wrong_retry
from rota.protocol.spec import Spec
from rota.protocol.states import AttemptState, JobState, Verdict
from rota.scheduler.decide import LOSSES_MAX, decide
from rota.scheduler.rules import pause_s

codes = st.lists(st.one_of(st.integers(0, 255), st.sampled_from(["1-5", "70-80", "0-255"])), min_size=1, max_size=3)
seconds = st.floats(0, 1e6, allow_nan=False)
chances = st.floats(0, 1, exclude_max=True)
backoffs = st.builds(Backoff, seconds, st.floats(1, 1000), st.one_of(st.none(), seconds), st.floats(0, 1))
rules = st.builds(
    Rule,
    exit_codes=st.one_of(st.none(), codes),
    signals=st.one_of(st.none(), st.just(["SIGKILL"]), st.just(["SIGTERM", "SIGSEGV"])),
    reasons=st.one_of(st.none(), st.lists(st.sampled_from(RetryReason), min_size=1, max_size=5)),
    log=st.one_of(st.none(), st.sampled_from(["reset", "^x", "(a|b)*c", "."])),
    delay_s=st.one_of(st.none(), seconds),
    max=st.one_of(st.none(), st.integers(1, 5)),
    requires=st.sampled_from([{}, {"mem": "big"}]),
)
retries = st.builds(
    Retry, st.integers(1, 1000), st.one_of(st.none(), st.lists(rules, max_size=4)), st.one_of(st.none(), backoffs)
)
specs = st.builds(
    Spec, command=st.just(["true"]), retry=st.one_of(st.none(), retries), success_exit_codes=st.one_of(st.none(), codes)
)
results = st.builds(
    Result,
    st.one_of(st.none(), st.integers(0, 255)),
    st.one_of(st.none(), st.sampled_from(["SIGKILL", "SIGTERM"])),
    st.sampled_from(Reason),
)
ends = st.builds(
    Ended,
    st.just(JobId("j")),
    st.just(AttemptId("a")),
    st.sampled_from([JobState.FINISHED, JobState.CANCELLED, JobState.EXPIRED, JobState.WAITING]),
    specs,
    st.one_of(st.none(), results),
    st.integers(0, 1500),
    st.integers(0, 10),
    st.one_of(st.none(), st.sampled_from(AttemptState)),
    refusals=st.integers(0, 100),
    by_rule=st.lists(st.integers(0, 10), max_size=4),
    log_tail=st.one_of(st.none(), st.text(max_size=200)),
    cancel_requested=st.booleans(),
)


def was_refused(ended: Ended) -> bool:
    return ended.state is JobState.WAITING and ended.attempt is AttemptState.REFUSED


@given(ends, chances)
def test_every_end_has_one_decision_and_the_same_each_time(ended: Ended, chance: float) -> None:
    decision = decide(ended, chance)

    assert decision == decide(ended, chance)
    assert (decision.job_id, decision.attempt_id, decision.state) == (ended.job_id, ended.attempt_id, ended.state)
    assert 0 <= decision.delay_s <= DELAY_S_MAX


@given(ends, chances)
def test_no_job_is_both_tried_again_and_ended(ended: Ended, chance: float) -> None:
    decision = decide(ended, chance)

    if decision.verdict is not None:
        assert (decision.delay_s, decision.rule, decision.requires) == (0, None, None)
    else:
        assert ended.state in {JobState.FINISHED, JobState.WAITING}
        assert not ended.cancel_requested or was_refused(ended)


@given(ends, chances)
def test_there_are_never_more_tries_than_allowed(ended: Ended, chance: float) -> None:
    retry = ended.spec.retry
    most = LOSSES_MAX if retry is None else retry.max_attempts
    counted = ended.losses if retry is None else ended.tries

    if decide(ended, chance).verdict is None and not was_refused(ended):
        assert counted < most


@given(ends, chances)
def test_nothing_succeeds_without_a_result_that_says_so(ended: Ended, chance: float) -> None:
    if decide(ended, chance).verdict is Verdict.SUCCEEDED:
        assert ended.state is JobState.FINISHED
        assert ended.result is not None
        assert ended.result.reason is Reason.EXITED


@given(ends, chances)
def test_a_rule_is_never_applied_more_often_than_it_says(ended: Ended, chance: float) -> None:
    index = decide(ended, chance).rule
    if index is not None:
        assert ended.spec.retry is not None
        assert ended.spec.retry.on is not None
        most = ended.spec.retry.on[index].max
        assert most is None or index >= len(ended.by_rule) or ended.by_rule[index] < most


@given(ends)
def test_a_refusal_is_never_an_end(ended: Ended) -> None:
    if was_refused(ended):
        assert decide(ended).verdict is None


@given(backoffs, st.integers(1, 1000), chances)
def test_pauses_grow_stay_within_their_bounds_and_jitter_only_shortens_them(
    backoff: Backoff, tries: int, chance: float
) -> None:
    if list(wrong_retry(Retry(2, None, backoff), None)):
        return  # such a spec is refused
    whole_s = pause_s(backoff, Rule(), tries, 0.0)

    assert 0 <= whole_s <= backoff.longest_s
    assert whole_s <= pause_s(backoff, Rule(), tries + 1, 0.0) * (1 + 1e-9)
    assert whole_s * (1 - backoff.jitter) * (1 - 1e-9) <= pause_s(backoff, Rule(), tries, chance) <= whole_s
    assert pause_s(backoff, Rule(), 1, 0.0) <= backoff.initial_s * (1 + 1e-9)
