"""A path never leads out of the job's folder. Source: protocol.md, "resumable"; threats on paths."""

import os.path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.protocol.paths import NAME_SIZE_BYTES_MAX, PATH_SIZE_BYTES_MAX, check_path
from rota.protocol.problems import InvalidRequest


@pytest.mark.parametrize("path", ["a", "out/report.txt", "..a/b..", "naïve/日本", "a b", "~", "ab:c", "-rf", "*"])
def test_a_path_within_the_folder_is_taken_as_it_is(path: str) -> None:
    assert check_path(path, "path") == path


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("", "is empty"),
        ("a\0b", "contains NUL"),
        ("/etc/passwd", "must be relative"),
        ("C:/x", "a colon there cannot be"),
        ("a\\b", "must be relative"),
        ("..", "`..`"),
        ("a/../b", "`..`"),
        ("./a", "`.`"),
        ("a//b", "empty parts"),
        ("a/", "empty parts"),
        ("a\udc80b", "no valid text"),
        ("é" * (NAME_SIZE_BYTES_MAX // 2 + 1), "too long"),
        ("/".join(["a" * 200] * (PATH_SIZE_BYTES_MAX // 200)) + "/" + "b" * 200, "too long"),
    ],
)
def test_a_path_that_could_lead_elsewhere_is_refused_by_name(path: str, why: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_path(path, "inputs[0].path")

    [error] = refused.value.extra["errors"]
    assert error.field == "inputs[0].path"
    assert why in error.message


@given(st.text(st.sampled_from("ab./\\:~\0 é\udc80"), max_size=12))
def test_whatever_is_taken_stays_below_the_folder(path: str) -> None:
    try:
        check_path(path, "path")
    except InvalidRequest:
        return

    assert os.path.normpath(f"/job/{path}") == f"/job/{path}"
