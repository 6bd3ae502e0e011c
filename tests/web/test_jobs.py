"""The list and the page of a job, in a real browser against a real server and worker."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from flows.conftest import Town
from house import ended
from waiting import until
from web.conftest import Site, Visit

HEARD_MS = 20_000
"""A worker hears of it with its next heartbeat, at the latest after ten seconds."""
FROZEN_S = 5.0
"""On a loaded machine; a page with all the lines takes minutes, and the memory of it."""


def gated(folder: Path, before: str, after: str) -> tuple[list[str], Path]:
    """A command that goes on when the file is there."""
    go = folder / "go"
    return ["sh", "-c", f"{before}; while [ ! -e {go} ]; do sleep 0.02; done; {after}"], go


def test_a_job_that_is_submitted_shows_without_a_look_again(site: Site, visit: Visit) -> None:
    page = visit().go("/jobs")

    site.submit("true", name="just came")

    expect(page.get_by_role("link", name="just came").first).to_be_visible()


def test_filters_are_in_the_address_and_older_ones_a_page_away(site: Site, visit: Visit) -> None:
    site.run("true", name="the one", tags={"team": "core"})
    page = visit().go("/jobs")

    page.get_by_label("Tag").fill("team:core")
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url("**tag=team%3Acore**")

    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_label("Tag").fill("nonsense")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("alert")).to_contain_text("key:value")


def test_chosen_jobs_are_cancelled_at_once(site: Site, visit: Visit) -> None:
    jobs = [site.submit("true", name=f"waits {n}", requires={"no": "such"}) for n in range(3)]
    page = visit().go("/jobs?is=queued")
    for job in jobs[:2]:
        page.locator(f"input[value='{job}']").check()

    page.get_by_role("button", name="Cancel").click()

    until(lambda: [site.job(job)["state"] for job in jobs] == ["cancelled", "cancelled", "queued"], 10, "two end")
    site.people.post(f"/api/v1/jobs/{jobs[2]}/cancel")


def test_the_keyboard_moves_through_the_list(site: Site, visit: Visit) -> None:
    site.run("true", name="older")
    job = site.run("true", name="newer")
    page = visit().go("/jobs")

    page.keyboard.press("j")
    page.keyboard.press("Enter")

    page.wait_for_url(f"**/jobs/{job}")
    page.go_back()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "name"


def test_a_log_arrives_while_it_is_written_and_the_end_with_it(site: Site, visit: Visit, tmp_path: Path) -> None:
    command, go = gated(tmp_path, "echo before", "printf '\\033[31mred\\033[0m https://rota.dev/x\\n'; exit 3")
    job = site.submit(*command)
    page = visit().go(f"/jobs/{job}")

    expect(page.locator("log-view")).to_contain_text("before")
    expect(page.locator("#facts")).to_contain_text("running")
    go.touch()

    expect(page.locator("log-view .ansi-red-fg")).to_have_text("red")
    expect(page.locator("log-view").get_by_role("link", name="https://rota.dev/x")).to_be_visible()
    expect(page.locator("#facts")).to_contain_text("failed")
    expect(page.locator("#facts")).to_contain_text("exit 3")
    expect(page.locator("svg.sequence")).to_contain_text("verdict: failed")


def test_a_link_to_a_line_leads_there(site: Site, visit: Visit) -> None:
    job = site.run("seq", "1", "5000")

    page = visit().go(f"/jobs/{job}#L2500")

    expect(page.locator("#L2500")).to_be_in_viewport()
    assert page.locator("#L2500").inner_text().strip() == "2500" * 2  # its number, and what it says


def test_the_search_finds_a_line_and_says_how_many(site: Site, visit: Visit) -> None:
    job = site.run("seq", "1", "3000")
    page = visit().go(f"/jobs/{job}")
    expect(page.locator("#L3000")).to_be_attached()

    page.get_by_label("Search the lines shown").fill("777")

    expect(page.locator("log-view [role=status]")).to_have_text("1 of 3")
    expect(page.locator("#L777")).to_be_in_viewport()


def test_of_a_log_of_a_hundred_megabytes_the_last_lines_alone_are_in_the_page(site: Site, visit: Visit) -> None:
    line = "0123456789" * 5
    job = site.submit("sh", "-c", f"yes {line} | head -c 100000000; echo; echo last")
    ended(site.people, job, 60)

    page = visit().go(f"/jobs/{job}")

    expect(page.locator("log-view .line").last).to_contain_text("last")
    assert page.locator("log-view .line").count() <= 20_001
    began = time.monotonic()
    page.get_by_label("Wrap").check()  # the tab answers: all its lines are laid out anew
    assert page.evaluate("document.querySelector('log-view .lines').scrollHeight") > 0
    assert time.monotonic() - began < FROZEN_S


def test_a_job_is_cancelled_and_run_again(site: Site, visit: Visit) -> None:
    job = site.submit("sleep", "600")
    page = visit().go(f"/jobs/{job}")
    until(lambda: site.job(job)["state"] == "running", 15, "it runs")

    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#facts h1 + .badge")).to_contain_text("cancelled", timeout=HEARD_MS)
    page.get_by_role("button", name="Run again").click()

    until(lambda: len(site.job(job)["attempts"]) == 2, 15, "a second try")
    site.people.post(f"/api/v1/jobs/{job}/cancel")


def test_a_job_is_changed_and_run_again(site: Site, visit: Visit) -> None:
    job = site.run("sh", "-c", "exit 1", name="to be mended")
    page = visit().go(f"/jobs/{job}")

    page.get_by_role("link", name="Edit and run again").click()
    page.get_by_label("Spec, as JSON").fill('{"command": ["true"], "nme": "mended"}')
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("alert")).to_contain_text("nme")
    page.get_by_label("Spec, as JSON").fill('{"command": ["true"], "name": "mended"}')
    page.get_by_role("button", name="Submit").click()

    page.wait_for_url("**/jobs/*")
    expect(page.locator("h1")).to_have_text("mended")
    expect(page.locator("#facts")).to_contain_text("succeeded")


def test_what_is_no_json_is_told_and_kept(visit: Visit) -> None:
    page = visit().go("/new")

    page.get_by_label("Spec, as JSON").fill("{nonsense")
    page.get_by_role("button", name="Submit").click()

    expect(page.get_by_role("alert")).to_contain_text("no JSON")
    expect(page.get_by_label("Spec, as JSON")).to_have_value("{nonsense")


def test_an_artifact_is_shown_and_downloaded(site: Site, visit: Visit) -> None:
    script = (
        "mkdir out; printf 'a,b\\n1,<i>2</i>\\n' >out/t.csv; printf '{\"a\":1}' >out/r.json; printf '\\0' >out/b.bin"
    )
    job = site.run("sh", "-c", script, artifacts=["out/**"])
    page = visit().go(f"/jobs/{job}")

    with page.expect_download() as download:
        page.get_by_role("row", name="out/t.csv").get_by_role("link", name="Download").click()
    assert Path(download.value.path()).read_bytes() == b"a,b\n1,<i>2</i>\n"

    page.get_by_role("link", name="out/t.csv").click()
    expect(page.get_by_role("cell", name="<i>2</i>")).to_be_visible()
    page.go_back()
    page.get_by_role("link", name="out/r.json").click()
    expect(page.locator("pre")).to_have_text('{\n  "a": 1\n}')
    page.go_back()
    page.get_by_role("link", name="out/b.bin").click()
    expect(page.get_by_text("It is no text")).to_be_visible()


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with closing(Town(tmp_path)) as made:
        yield made


def test_a_refusal_is_red_in_the_flow(town: Town, visit: Visit, picture: Callable[[Page, str], None]) -> None:
    """The registry was down when the worker asked it: nothing was started, and the next offer ran."""
    town.worker("anna")
    town.registry.kill()
    job = town.submit("true")
    until(lambda: any(one["state"] == "refused" for one in town.job(job)["attempts"]), 30, "it is refused")
    town.registry.start()
    town.ended(job)

    visitor = visit(town.jobs.admin_token, town.jobs.url)
    page = visitor.go(f"/jobs/{job}")

    red = page.locator("svg.sequence .arrow.error")
    expect(red.filter(has_text="refuse job").first).to_be_visible()
    assert red.first.locator("line").evaluate("one => getComputedStyle(one).stroke") == "rgb(179, 38, 30)"
    expect(page.locator("svg.sequence")).to_contain_text("verdict: succeeded")
    picture(page, "flow-refused")
