"""The README's listings are run, and print what they say."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

from rota.cli import acts
from rota.cli.main import cli

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()


def listings(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)


def test_the_job_that_exits_with_3_prints_what_the_readme_says(environ: dict[str, str]) -> None:
    [listing] = [text for text in listings("console") if "two of three" in text]
    command, *printed, asked, code = listing.splitlines()
    assert asked == "$ echo $?"

    done = subprocess.run(
        ["sh", "-c", command.removeprefix("$ ")], capture_output=True, text=True, timeout=60, check=False, env=environ
    )

    said = re.sub(r"after \d+\.\d s", "after 0.0 s", done.stdout + done.stderr)
    assert said.splitlines() == printed
    assert str(done.returncode) == code


def test_the_five_lines_of_python_run(environ: dict[str, str]) -> None:
    [listing] = listings("python")

    done = subprocess.run(
        [sys.executable, "-c", listing], capture_output=True, text=True, timeout=60, check=False, env=environ
    )

    assert done.stdout.splitlines() == ["succeeded", "['greeting.txt']"], done.stderr


def test_every_command_line_of_the_readme_is_one_that_rota_takes() -> None:
    lines = [line for text in listings("console") for line in text.splitlines() if line.startswith("$ rota ")]
    assert len(lines) >= 6
    for line in lines:
        words = shlex.split(line.removeprefix("$ "), comments=True)[1:]
        context = cli.make_context("rota", words, resilient_parsing=True)
        name, command, rest = cli.resolve_command(context, words)
        assert command is not None, line
        if name == "env":
            _, command, rest = command.resolve_command(context, rest)  # type: ignore[attr-defined]
        command.make_context(str(name), rest, parent=context)


def test_what_the_readme_runs_on_files_works_as_printed(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("b\na\n")
    lines = [line.removeprefix("$ ") for text in listings("console") for line in text.splitlines()]
    runs = [line for line in lines if line.startswith("rota run ") and "exit 3" not in line]
    assert len(runs) >= 2
    for line in runs:
        done = subprocess.run(
            ["sh", "-c", line], capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path, env=environ
        )
        assert done.returncode == 0, f"{line}: {done.stderr}"
    assert (tmp_path / "sorted.csv").read_text() == "a\nb\n"


def test_the_readme_counts_the_demo_s_jobs() -> None:
    jobs = [name for name in vars(acts) if name.startswith("a_job_that")]

    assert f"{['no', 'one', 'two', 'three'][len(jobs)]} real jobs" in README
