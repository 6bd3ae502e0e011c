"""Every fault has its tests, or says why not; every test that is named is there and names its fault."""

import ast
import re

import pytest

from rules.sources import HERE, tree

PAGE = HERE / "docs" / "explanation" / "faults.md"
ROW = re.compile(r"^\| F(\d+) \| (.+?) \| (.+) \|$", re.MULTILINE)
TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")
FAULTS = range(1, 57)

ROWS = {int(number): shown for number, _, shown in ROW.findall(PAGE.read_text())}
NAMED = [(number, file, test) for number, shown in ROWS.items() for file, test in TEST.findall(shown)]


def test_every_fault_has_one_row_in_its_place() -> None:
    assert [int(number) for number, _, _ in ROW.findall(PAGE.read_text())] == list(FAULTS)


@pytest.mark.parametrize("number", FAULTS)
def test_a_row_holds_tests_and_a_reason_and_nothing_else(number: int) -> None:
    told = ROWS[number].split("<br>")

    shown = [one for one in told if TEST.fullmatch(one)]
    reasons = [one for one in told if re.fullmatch(r"open: \w.{10,}|open: `.{10,}", one)]
    assert len(shown) + len(reasons) == len(told)
    assert len(reasons) <= 1


@pytest.mark.parametrize(("number", "file", "test"), NAMED, ids=[f"F{number}-{test}" for number, _, test in NAMED])
def test_a_named_test_is_there_and_names_its_fault(number: int, file: str, test: str) -> None:
    module = tree(HERE / "tests" / file)
    functions = [node for node in module.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]

    [found] = [function for function in functions if function.name == test]

    said = f"{ast.get_docstring(module)}\n{ast.get_docstring(found)}"
    assert re.search(rf"\bF{number}\b", said), f"say F{number} in its docstring, or in its file's"
