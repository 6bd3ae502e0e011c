"""A whole Rota from a seed: no invariant breaks, and a seed is the same each time. Source: guarantees.md, I1 to I8."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulation.mutants import HERE, Mutant, apply, hunt, mutants
from simulation.scene import simulate
from simulation.seeds import explore
from simulation.trace import about, drawn, plantuml

SEEDS = 200
DIGEST = """
import hashlib, sys
from simulation.scene import simulate
for seed in sys.argv[1:]:
    print(hashlib.sha256("\\n".join(noted.line() for noted in simulate(int(seed)).notes).encode()).hexdigest())
"""


def digest(seed: int) -> str:
    return hashlib.sha256("\n".join(noted.line() for noted in simulate(seed).notes).encode()).hexdigest()


def test_no_invariant_breaks() -> None:
    found = list(explore(0, SEEDS, 2))

    assert [f"{one.seed}: {one.invariant}: {one.text}" for one in found if one.invariant is not None] == []
    assert len(found) == SEEDS
    assert sum(one.executions for one in found) > SEEDS  # it would not be much of a promise where nothing runs


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_a_seed_is_the_same_each_time_and_in_each_process(hash_seed: str) -> None:
    seeds = (7, 11, 36, 53)
    command = [sys.executable, "-P", "-c", DIGEST, *map(str, seeds)]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(HERE / "tests")}

    elsewhere = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()

    assert elsewhere == [digest(seed) for seed in seeds]
    assert len(set(elsewhere)) == len(seeds)


@pytest.mark.parametrize(("name", "mutant"), mutants().items(), ids=mutants())
def test_a_deliberate_fault_still_applies(name: str, mutant: Mutant, tmp_path: Path) -> None:
    """`make sim-mutants` shows that each is found, in minutes; one that does not apply is not even looked for."""
    for edit in mutant.edit:
        (tmp_path / edit.file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / edit.file).write_text((HERE / edit.file).read_text())

    apply(name, mutant, tmp_path)


def test_there_are_faults_enough() -> None:
    assert len(mutants()) >= 15


@pytest.mark.parametrize(
    ("name", "invariant"),
    [
        ("start-before-the-acknowledgement", "I-1 no start without acknowledgement"),
        ("refusal-keeps-the-job", "I-5 job and attempt agree"),
    ],
)
def test_a_deliberate_fault_is_found(name: str, invariant: str) -> None:
    found = hunt(name, mutants()[name], 100, 1)

    assert found.invariant == invariant


def test_what_happened_is_drawn_as_a_sequence_diagram() -> None:
    outcome = simulate(0)
    job = next(noted.words for noted in outcome.notes if noted.name == "getJob").partition('"request_id":"')[2][:36]

    lines = list(drawn(about(outcome.notes, [job])))

    assert "WorkerRegistry" in lines[0]
    assert any("getJob (w" in line for line in lines)
    diagram = plantuml(outcome.notes)
    assert diagram.startswith("@startuml")
    assert 'participant "w0" as' in diagram
