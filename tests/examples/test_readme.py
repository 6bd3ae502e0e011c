"""The README's listings are run, and print what they say."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

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
