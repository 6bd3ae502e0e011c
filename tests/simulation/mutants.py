"""`make sim-mutants`: deliberate faults in the code, each of which the simulation must find.

A fault is a file in `mutants/`: what it is, and which text takes which other's place. It is applied to a copy of `src`;
one that no longer applies is an error, since then nobody knows whether it would still be found.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from simulation.scene import simulate

HERE = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).with_name("mutants")
SEEDS_MAX = 4000


class Edit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`old` stands exactly once in `file`, and `new` takes its place."""

    file: str
    old: str
    new: str


class Mutant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A deliberate fault."""

    what: str
    edit: list[Edit]


class DoesNotApply(Exception):
    """The code has changed: the fault must be put in anew, or given up."""


@dataclass(frozen=True)
class Verdict:
    """How it went. `invariant` None: nobody noticed."""

    name: str
    what: str
    invariant: str | None
    seed: int
    tried: int
    took_s: float


def mutants() -> dict[str, Mutant]:
    """All of them, by name."""
    files = sorted(FOLDER.glob("*.toml"))
    return {file.stem: msgspec.toml.decode(file.read_bytes(), type=Mutant) for file in files}


def apply(name: str, mutant: Mutant, root: Path) -> None:
    """Change the copy of the sources below `root`. Raises DoesNotApply."""
    for edit in mutant.edit:
        file = root / edit.file
        text = file.read_text(encoding="utf-8")
        if text.count(edit.old) != 1:
            raise DoesNotApply(f"{name}: this stands {text.count(edit.old)} times in {edit.file}:\n{edit.old}")
        file.write_text(text.replace(edit.old, edit.new), encoding="utf-8")


@contextlib.contextmanager
def mutated(name: str, mutant: Mutant) -> Iterator[Path]:
    """A copy of `src` with the fault in it."""
    with tempfile.TemporaryDirectory(prefix="rota-mutant-") as folder:
        root = Path(folder)
        shutil.copytree(HERE / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__"))
        apply(name, mutant, root)
        yield root / "src"


def hunt(name: str, mutant: Mutant, seeds: int, processes: int) -> Verdict:
    """Let the simulation loose on it, in a process of its own."""
    began = time.monotonic()
    with mutated(name, mutant) as sources:
        command = [sys.executable, "-P", "-m", "simulation.hunt", str(seeds), str(processes)]
        paths = os.pathsep.join([str(sources), str(HERE / "tests")])
        ended = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False
        )
    if ended.returncode != 0:
        raise DoesNotApply(f"{name}: the simulation itself failed:\n{ended.stderr[-2000:]}")
    invariant, seed, tried, where = ended.stdout.rstrip("\n").split("\t")
    if not where.startswith(str(sources)):
        raise DoesNotApply(f"{name}: not the changed sources were run, but {where}")
    if invariant and (clean := simulate(int(seed)).violation) is not None:
        raise DoesNotApply(f"seed {seed} fails without any fault put in: {clean}")
    return Verdict(name, mutant.what, invariant or None, int(seed), int(tried), time.monotonic() - began)


def main() -> int:
    """The exit code: 1 where a fault was not found, or does not apply."""
    parser = argparse.ArgumentParser(prog="make sim-mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these")
    parser.add_argument("--seeds", type=int, default=SEEDS_MAX, help=f"within so many seeds ({SEEDS_MAX})")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="at the same time")
    options = parser.parse_args()
    known = mutants()
    chosen = {name: known[name] for name in options.names or known}
    missed = 0
    _say(f"{'fault':38} {'found at':>9} {'after':>7} {'took':>6}  by")
    for name, mutant in chosen.items():
        try:
            found = hunt(name, mutant, options.seeds, options.processes)
        except DoesNotApply as error:
            _say(f"{error}")
            missed += 1
            continue
        missed += found.invariant is None
        where = f"{'-':>9} {found.tried:>7,}" if found.invariant is None else f"{found.seed:>9} {found.tried:>7,}"
        _say(f"{name:38} {where} {found.took_s:>5.0f}s  {found.invariant or 'NOT FOUND'}")
    _say(f"{len(chosen)} faults, {missed} not found")
    return 1 if missed else 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
