"""Every example runs, and prints what it says."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PRINTED = {
    "hello.sh": ["hello from ", "the job's exit code was 3"],
    "files.sh": ["apple\npear\nquince"],
    "nightly.sh": ["tonight's build is not good:\n1 line is too long"],
    "graph.sh": ["parts: 3 of 3 succeeded", "sum of squares: 14"],
    "hello.py": ["hello\n exit code 3"],
    "word_count.py": ["one.txt: 4 words; report.txt has 16 bytes", "in all 9 words"],
    "verdicts.py": ["small: succeeded, exit code 0", "large: failed, exit code 3"],
    "live.py": ["left: step 3", "right: finished, exit code 0"],
}


def test_every_example_is_run_here_and_told_of_in_the_list() -> None:
    scripts = {file.name for file in EXAMPLES.iterdir() if file.suffix in {".py", ".sh"}}
    listed = (EXAMPLES / "README.md").read_text()

    assert scripts == set(PRINTED)
    assert [name for name in scripts if f"[{name}]({name})" not in listed] == []


@pytest.mark.parametrize("name", PRINTED)
def test_an_example_prints_what_it_promises(name: str, environ: dict[str, str], tmp_path: Path) -> None:
    program = sys.executable if name.endswith(".py") else "sh"
    done = subprocess.run(
        [program, str(EXAMPLES / name)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env=environ,
    )

    assert done.returncode == 0, done.stderr
    assert [words for words in PRINTED[name] if words not in done.stdout] == []
