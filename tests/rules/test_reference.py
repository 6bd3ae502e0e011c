"""The reference says what the code says, and every link in the docs leads somewhere. Source: docs/build.py."""

import re

import pytest

import build
from rules.sources import HERE, files, name


@pytest.mark.parametrize("page", build.PAGES)
def test_a_generated_page_says_what_the_code_says(page: str) -> None:
    assert (build.REFERENCE / page).read_text() == build.PAGES[page](), "run `make docs`"


@pytest.mark.parametrize("page", [file for file in files() if file.suffix == ".md"], ids=name)
def test_every_link_within_the_checkout_leads_to_a_file(page: object) -> None:
    path = HERE / str(page)
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text())

    assert [link for link in links if "://" not in link and not (path.parent / link).exists()] == []
