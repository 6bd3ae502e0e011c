"""A policy of one's own: a full disk is worth another try elsewhere, and who is busy is asked again later."""

from rota.protocol.policy import Again, PolicyAnswer, PolicyQuestion

BUSY = 75
"""What programs exit with that want to be run later (sysexits.h, EX_TEMPFAIL)."""


def decide(ended: PolicyQuestion) -> PolicyAnswer | None:
    """What follows this try; None: what the job's own `retry` says."""
    if ended.result is None:
        return None  # its worker vanished
    if "No space left on device" in ended.log_tail:
        return PolicyAnswer(again=Again(delay_s=1, requires={"disk": "big"}), message="its disk was full")
    if ended.result.exit_code == BUSY:
        return PolicyAnswer(again=Again(delay_s=min(600, 10 * 2**ended.tries)), message="it asked for a later try")
    return None
