"""Who comes in, what they see, and what nobody else can make them do. Source: threats.md; RFC 6265bis."""

import httpx2
import pytest

from web.conftest import Site, Visit


def test_who_has_not_logged_in_is_sent_to_do_so_and_then_to_where_they_wanted(site: Site, visit: Visit) -> None:
    job = site.run("true")
    visitor = visit(token=None)

    page = visitor.go(f"/jobs/{job}")
    page.get_by_label("Token").fill(site.server.admin_token)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"**/jobs/{job}")

    assert "succeeded" in page.locator("#facts").inner_text()


def test_a_token_that_is_unknown_is_told_so_and_nobody_is_in(visit: Visit) -> None:
    visitor = visit(token=None)

    visitor.log_in("rota_nonsense")

    assert "not known here" in visitor.page.get_by_role("alert").inner_text()
    assert visitor.context.cookies() == []


def test_the_cookie_is_read_by_no_script_and_sent_by_no_other_site(site: Site, visit: Visit) -> None:
    visitor = visit(token=None)
    visitor.log_in(site.server.admin_token)
    visitor.page.wait_for_url(f"{site.url}/")

    [cookie] = visitor.context.cookies()

    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert visitor.page.evaluate("document.cookie") == ""


def test_behind_tls_the_cookie_is_sent_over_tls_alone(site: Site) -> None:
    with httpx2.Client(base_url=site.url, headers={"X-Forwarded-Proto": "https"}) as http:
        page = http.get("/login").text
        csrf = page.partition('name="csrf" value="')[2].partition('"')[0]
        answer = http.post("/login", data={"csrf": csrf, "token": site.server.admin_token, "to": "/"})

    assert answer.status_code == 303
    assert "Secure" in answer.headers["set-cookie"]


def test_who_logs_out_is_out(site: Site, visit: Visit) -> None:
    visitor = visit(token=None)
    visitor.log_in(site.server.admin_token)

    visitor.page.get_by_role("button", name="Log out").click()
    visitor.page.wait_for_url("**/login")

    assert visitor.context.cookies() == []


def test_a_revoked_token_is_out_with_its_next_page(site: Site, visit: Visit) -> None:
    made = site.people.post("/api/v1/environments/default/credentials", json={"kind": "view"}).json()
    visitor = visit(made["token"])
    assert visitor.go("/jobs").title() == "Jobs · Rota"

    site.people.delete(f"/api/v1/environments/default/credentials/{made['credential_id']}")
    visitor.go("/jobs")

    assert visitor.page.url.startswith(f"{site.url}/login")


@pytest.mark.parametrize("kind", ["view", "submit", "admin"])
def test_each_kind_sees_the_buttons_that_it_may_use_and_no_other(site: Site, visit: Visit, kind: str) -> None:
    job = site.run("true")
    visitor = visit(site.server.token(kind))

    again = visitor.go(f"/jobs/{job}").get_by_role("button", name="Run again").count()
    drain = visitor.go("/workers").get_by_role("button", name="Drain").count()
    visitor.go("/environments/default")
    enrol = visitor.page.get_by_role("button", name="Show the line").count()

    assert (again > 0, drain > 0, enrol > 0) == (kind != "view", kind == "admin", kind == "admin")


def test_a_worker_to_be_sees_no_pages(site: Site, visit: Visit) -> None:
    visitor = visit(token=None)

    visitor.log_in(site.server.token("enrolment"))

    assert "enrolment" in visitor.page.get_by_role("alert").inner_text()


def test_a_view_token_can_change_nothing_by_a_form_of_its_own(site: Site) -> None:
    job = site.run("true")
    token = site.server.token("view")
    with site.visitor(token) as http:
        csrf = http.get("/jobs").text.partition('name="csrf" value="')[2].partition('"')[0]
        answer = http.post(f"/jobs/{job}/retry", data={"csrf": csrf})

    assert answer.status_code == 403
    assert len(site.job(job)["attempts"]) == 1


@pytest.mark.parametrize("wrong", [{}, {"csrf": "0" * 64}])
def test_a_form_that_none_of_our_pages_made_changes_nothing(site: Site, wrong: dict[str, str]) -> None:
    job = site.run("true")
    with site.visitor() as http:
        answer = http.post(f"/jobs/{job}/retry", data=wrong)

    assert answer.status_code == 403
    assert len(site.job(job)["attempts"]) == 1


def test_a_form_that_was_sent_from_another_site_changes_nothing(site: Site) -> None:
    job = site.run("true")
    with site.visitor() as http:
        csrf = http.get("/jobs").text.partition('name="csrf" value="')[2].partition('"')[0]
        answer = http.post(f"/jobs/{job}/retry", data={"csrf": csrf}, headers={"Origin": "https://evil.example"})

    assert answer.status_code == 403
    assert len(site.job(job)["attempts"]) == 1


def test_the_cookie_opens_of_the_api_what_only_reads(site: Site) -> None:
    job = site.run("true")
    with site.visitor() as http:
        read = http.get(f"/api/v1/jobs/{job}")
        changed = http.post(f"/api/v1/jobs/{job}/retry")

    assert (read.status_code, changed.status_code) == (200, 401)
    assert len(site.job(job)["attempts"]) == 1


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_nobody_is_sent_elsewhere_by_a_link_to_us(site: Site, visit: Visit, to: str) -> None:
    visitor = visit(token=None)
    visitor.page.goto(f"{site.url}/login?to={to}")
    visitor.page.get_by_label("Token").fill(site.server.admin_token)
    visitor.page.get_by_role("button", name="Log in").click()

    visitor.page.wait_for_url(f"{site.url}/")


def test_every_page_forbids_what_is_inline_and_what_is_elsewhere(site: Site) -> None:
    with site.visitor() as http:
        for path in ("/", "/jobs", "/workers", "/environments", "/login", "/jobs/none"):
            policy = http.get(path).headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "http" not in policy
