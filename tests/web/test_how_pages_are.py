"""Calm, readable and light: what every page keeps to."""

import hashlib
import time
from collections.abc import Callable
from importlib import resources
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Response, expect

from web.conftest import Site, Visit

VENDORED = {
    "htmx.min.js": "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717",
    "ansi_up.js": "554a7d9ca4f3721db1f14941f92dc75b254f57d4b7bffeb84eea1174aa160780",
}
"""What is not ours is what it was when it was looked at."""
TRANSFERRED_BYTES_MAX = 150_000
SERVER_S_MAX = 0.1
PAGES = (
    "/",
    "/jobs",
    "/jobs/{job}",
    "/jobs/{job}/preview/out.txt",
    "/workers",
    "/environments",
    "/environments/default",
    "/new",
    "/schedules",
    "/schedules/default/nightly",
)


@pytest.fixture(scope="module")
def job(site: Site) -> str:
    nightly = {"name": "nightly", "cron": "30 2 * * *", "spec": {"command": ["true"], "environment": "default"}}
    assert site.people.post("/api/v1/schedules", json=nightly).status_code in {201, 409}
    site.submit("true", requires={"no": "such"}, name="waits")
    return site.run("sh", "-c", "printf '\\033[33mwarn\\033[0m\\n'; echo a >out.txt; exit 1", artifacts=["*.txt"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280, 2560])
def test_each_page_is_readable_by_everybody_and_as_wide_as_its_window(
    site: Site, visit: Visit, job: str, picture: Callable[[Page, str], None],
    scheme: Literal["light", "dark"], width: int,
) -> None:  # fmt: skip
    """WCAG 2.2 AA as far as a program can tell (axe), in both schemes."""
    visitor = visit(color_scheme=scheme, viewport={"width": width, "height": 900})
    for path in PAGES:
        page = visitor.go(path.format(job=job))
        expect(page.locator("h1")).to_be_visible()
        found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]})
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        name = path.format(job="job").strip("/").replace("/", "-") or "overview"
        picture(page, f"{name}-{scheme}-{width}")


def test_the_login_page_is_readable_by_everybody(visit: Visit, picture: Callable[[Page, str], None]) -> None:
    page = visit(token=None).go("/login")

    found = Axe().run(page)

    assert found.violations_count == 0, found.generate_report()
    picture(page, "login")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_can_be_read_without_scripts(site: Site, visit: Visit, job: str, path: str) -> None:
    page = visit(java_script_enabled=False).go(path.format(job=job))

    expect(page.locator("h1")).to_be_visible()
    if path == "/jobs/{job}":
        expect(page.locator("pre.log")).to_contain_text("warn")
        expect(page.locator("svg.sequence")).to_be_visible()


def test_the_first_page_is_small_and_asks_no_other_host(site: Site, visit: Visit, job: str) -> None:
    visitor = visit()
    answers: list[Response] = []
    visitor.page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108  (it looks for an attribute)

    visitor.go("/jobs")
    expect(visitor.page.locator("#live")).to_be_visible()

    assert all(answer.url.startswith(site.url) for answer in answers)
    whole = [answer for answer in answers if "/api/" not in answer.url]
    assert sum(answer.request.sizes()["responseBodySize"] for answer in whole) < TRANSFERRED_BYTES_MAX


def test_a_full_list_takes_the_server_little_time(site: Site, job: str) -> None:
    site.people.post("/api/v1/jobs", json={"jobs": [{"command": ["true"], "requires": {"no": "such"}}] * 200})
    with site.visitor() as http:
        took_s = []
        for _ in range(7):
            began = time.perf_counter()
            answer = http.get("/jobs")
            took_s.append(time.perf_counter() - began)
            assert answer.text.count("<tr data-href") == 100
    for waiting in site.people.get("/api/v1/jobs", params={"state": "queued", "limit": 1000}).json()["jobs"]:
        site.people.post(f"/api/v1/jobs/{waiting['id']}/cancel")

    assert sorted(took_s)[3] < SERVER_S_MAX


def test_an_address_that_leads_nowhere_is_a_page_that_says_so(visit: Visit) -> None:
    page = visit().go("/jobs/none")

    expect(page.get_by_text("There is no such job.")).to_be_visible()
    expect(page.get_by_role("link", name="To the jobs")).to_be_visible()


def test_a_worker_is_drained_and_one_is_added_by_a_line(site: Site, visit: Visit) -> None:
    visitor = visit()
    page = visitor.go("/environments/default")

    page.get_by_role("button", name="Show the line that starts one").click()
    line = page.locator("#paste").inner_text()

    assert line.startswith(f"rota worker --server {site.url} --token rota_")


@pytest.mark.parametrize("name", VENDORED)
def test_what_is_not_ours_is_what_was_looked_at_and_has_its_licence(name: str) -> None:
    folder = resources.files("rota.web").joinpath("static", "vendor")

    assert hashlib.sha256(folder.joinpath(name).read_bytes()).hexdigest() == VENDORED[name]
    assert len(folder.joinpath(name.partition(".")[0] + ".LICENSE").read_text(encoding="utf-8")) > 100
