"""The model of the protocol, in small worlds: its claims hold, and each deliberate fault breaks one. docs/model."""

import re
import shutil
import subprocess

import pytest

from rules.sources import HERE

CHECK = HERE / "docs" / "model" / "check"
CLAIMS = {"1", "2", "3", "4", "5"}
MISSING = [program for program in ("spin", "gcc") if shutil.which(program) is None]

pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"needs spin: {', '.join(MISSING)} is not installed"),
    pytest.mark.timeout(300),  # a compiler runs twenty times
]


def _check(what: str) -> str:
    done = subprocess.run([CHECK, what], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_claims_hold_in_every_state_of_a_small_world() -> None:
    said = _check("quick").splitlines()

    assert len(said) == 2
    assert all(re.search(r"the six claims hold in all \d{5,} states", line) for line in said)


def test_each_deliberate_fault_breaks_a_claim_and_together_they_break_the_first_five() -> None:
    said = _check("faults")

    faults = re.findall(r"^([A-Z_]+) \(.*\): found$", said, re.MULTILINE)
    broken = re.findall(r"!! claim (\d) is broken$", said, re.MULTILINE)
    assert len(faults) == len(broken) == 15
    assert set(broken) >= CLAIMS
