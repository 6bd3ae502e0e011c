"""Schedules as pages: what is due, what ran, and a hand on it."""

from playwright.sync_api import expect

from web.conftest import Site, Visit


def test_a_schedule_is_run_now_paused_and_resumed(site: Site, visit: Visit) -> None:
    hourly = {"name": "hourly", "cron": "0 * * * *", "timezone": "Europe/Berlin", "spec": {"command": ["true"]}}
    assert site.people.post("/api/v1/schedules", json=hourly).status_code == 201
    page = visit().go("/schedules")
    page.get_by_role("link", name="hourly").click()
    expect(page.locator(".times li")).to_have_count(5)

    page.get_by_role("button", name="Run now").click()
    page.wait_for_url("**/jobs/*")
    page.go_back()
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#schedule .badge.waiting").first).to_contain_text("paused")
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()

    assert site.people.get("/api/v1/schedules/hourly", params={"environment": "default"}).json()["paused"] is False


def test_a_view_token_sees_no_hand_on_it(site: Site, visit: Visit) -> None:
    daily = {"name": "daily", "cron": "0 3 * * *", "spec": {"command": ["true"]}}
    assert site.people.post("/api/v1/schedules", json=daily).status_code == 201

    page = visit(site.server.token("view")).go("/schedules/default/daily")

    expect(page.get_by_role("heading", name="daily")).to_be_visible()
    assert page.get_by_role("button", name="Run now").count() == 0
