"""The house in numbers and names: what a reader may rely on in every file. Source: CONTRIBUTING.md, "The rules"."""

import ast
import re
from pathlib import Path

import pytest

from rules.sources import HERE, files, name, python_files, tree

FILE_LINES_MAX = 300
FUNCTION_LINES_MAX = 50
NO_NAMES = {
    "utils", "util", "helpers", "helper", "common", "base", "misc", "manager", "handler", "core", "lib", "shared",
    "compat",
}  # fmt: skip
SLEEPS_HERE = {"tests/waiting.py"}
CATCHES_ALL_HERE = {
    "bench/peers.py",  # whatever goes wrong with one system is said in its row, and the others are measured
    "src/rota/server.py",  # the last fence: whatever it was becomes `internal`, and the log has the rest
    "src/rota/scheduler/policy_process.py",  # whatever a foreign policy raises is its failure, and is told as that
    "src/rota/worker/daemon.py",  # as above: the worker goes on, and says what it met
    "src/rota/storage/sqlite/writer.py",  # what a statement raised is raised again where it was asked for
}
TEXT = {
    "",
    ".cfg",
    ".css",
    ".html",
    ".ini",
    ".js",
    ".lock",
    ".md",
    ".py",
    ".sh",
    ".sql",
    ".toml",
    ".txt",
    ".yaml",
    ".yml",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def test_no_source_file_is_longer_than_a_reader_takes_in_at_once() -> None:
    sources = [
        file for file in files() if file.is_relative_to(HERE / "src") and file.suffix in {".py", ".sql", ".html"}
    ]
    lengths = {name(file): len(file.read_text().splitlines()) for file in sources}

    assert lengths
    assert {file: lines for file, lines in lengths.items() if lines > FILE_LINES_MAX} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    long = []
    for file in (*python_files("src"), *python_files("tests"), *python_files("docs"), *python_files("bench")):
        functions = [node for node in ast.walk(tree(file)) if isinstance(node, Function)]
        long += [
            f"{name(file)}:{function.lineno} {function.name}: {lines} lines"
            for function in functions
            if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES_MAX
        ]

    assert long == []


def test_every_module_and_folder_says_what_it_is_about() -> None:
    modules = [file.relative_to(HERE) for file in (*python_files("src"), *python_files("tests"))]
    vague = {path.as_posix() for path in modules if NO_NAMES & {path.stem.lower(), *map(str.lower, path.parts)}}

    assert vague == set()


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {file.parent for file in python_files("src/rota")}

    assert [name(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_every_module_starts_with_what_it_is_for() -> None:
    silent = [
        name(file)
        for file in (*python_files("src"), *python_files("tests"), *python_files("docs"), *python_files("bench"))
        if tree(file).body and ast.get_docstring(tree(file)) is None
    ]

    assert silent == []


def test_no_test_sleeps() -> None:
    asleep = [
        f"{name(file)}:{call.lineno}"
        for file in python_files("tests")
        if name(file) not in SLEEPS_HERE
        for call in ast.walk(tree(file))
        if isinstance(call, ast.Call) and _called(call) in {"time.sleep", "asyncio.sleep", "sleep"}
    ]

    assert asleep == [], "wait for an event, or with waiting.until where it happens in another process"


def _called(call: ast.Call) -> str:
    return ast.unparse(call.func)


def test_what_is_caught_is_named_or_raised_again() -> None:
    broad = [
        f"{name(file)}: {ast.unparse(node).splitlines()[0]}"
        for file in (*python_files("src"), *python_files("tests"), *python_files("docs"), *python_files("bench"))
        if name(file) not in CATCHES_ALL_HERE
        for node in ast.walk(tree(file))
        if _catches_all(node)
    ]

    assert broad == []


def _catches_all(node: ast.AST) -> bool:
    if isinstance(node, ast.Call) and _called(node) in {"suppress", "contextlib.suppress"}:
        return any(_is_broad(kind) for kind in node.args)
    if not isinstance(node, ast.ExceptHandler) or any(isinstance(inner, ast.Raise) for inner in ast.walk(node)):
        return False
    kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return any(kind is None or _is_broad(kind) for kind in kinds)


def _is_broad(kind: ast.expr) -> bool:
    return ast.unparse(kind).removeprefix("builtins.") in {"Exception", "BaseException"}


# A letter in brackets, so that this file does not hold what it forbids.
LATER = re.compile(r"\b(TOD[O]|FIXM[E]|XX[X])\b")
MACHINE = re.compile(r"(?<![\w.~}>-])/(wor[k]|roo[t])/|pypi[.]org|files[.]pythonhosted")


def _lines(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name(file)}:{number}: {line.strip()[:120]}"
        for file in files()
        if file.suffix in TEXT and not _is_vendored(file)
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]


def _is_vendored(file: Path) -> bool:
    return ".min." in file.name


def test_what_is_left_to_do_is_an_issue_not_a_comment() -> None:
    assert _lines(LATER) == []


def test_no_file_names_the_machine_that_it_was_written_on() -> None:
    assert _lines(MACHINE) == []


@pytest.mark.parametrize(
    ("code", "refused"),
    [
        ("try: pass\nexcept Exception: pass", True),
        ("try: pass\nexcept: pass", True),
        ("try: pass\nexcept (ValueError, BaseException): pass", True),
        ("with suppress(Exception): pass", True),
        ("try: pass\nexcept Exception:\n  undo()\n  raise", False),
        ("try: pass\nexcept ValueError: pass", False),
    ],
)
def test_the_rule_on_what_is_caught_finds_what_it_should(code: str, *, refused: bool) -> None:
    assert any(map(_catches_all, ast.walk(ast.parse(code)))) is refused
