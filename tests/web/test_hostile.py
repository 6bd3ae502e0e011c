"""Names, tags, logs, results and artifacts are whatever a job wants them to be: text, and nothing else."""

from playwright.sync_api import expect

from web.conftest import Site, Visit

EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'{{7*7}}"


def test_nothing_that_a_job_is_called_or_writes_runs_in_the_page(site: Site, visit: Visit) -> None:
    """A dialog, or a complaint on the console, fails every visit."""
    script = (
        'printf "\\033]8;;javascript:alert(3)\\033\\\\here\\033]8;;\\033\\\\\\n"; printf "%s\\n" "$EVIL"; '
        'printf "%s" "$EVIL" >x.html; printf "%s" "$EVIL" >"<b>.txt"; '
        'printf "\\"%s\\"" "<script>" >"$ROTA_RESULT"; exit 1'
    )
    job = site.run("sh", "-c", script, name=EVIL, tags={EVIL: EVIL}, env={"EVIL": EVIL}, artifacts=["*.html", "*.txt"])
    visitor = visit()

    for path in ("/", "/jobs", f"/jobs/{job}", f"/jobs/{job}/preview/x.html", f"/jobs/{job}/preview/%3Cb%3E.txt"):
        page = visitor.go(path)
        expect(page.get_by_text("<img src=x onerror=alert(1)>").first).to_be_visible()
        assert page.locator("img[src=x]").count() == 0
        assert page.locator("script:not([src])").count() == 0
        assert page.locator("a[href^='javascript']").count() == 0


def test_an_artifact_is_a_download_whatever_it_holds(site: Site) -> None:
    job = site.run("sh", "-c", "echo '<script>alert(1)</script>' >x.html; echo '<svg/>' >x.svg", artifacts=["x.*"])

    with site.visitor() as http:
        for name in ("x.html", "x.svg"):
            answer = http.get(f"/api/v1/jobs/{job}/artifacts/{name}")
            assert answer.headers["content-disposition"].startswith("attachment")
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert http.get(f"/jobs/{job}/picture/{name}").status_code == 404


def test_a_picture_is_shown_in_a_sandbox(site: Site) -> None:
    job = site.run("sh", "-c", "echo '<script>alert(1)</script>' >x.png", artifacts=["x.*"])

    with site.visitor() as http:
        answer = http.get(f"/jobs/{job}/picture/x.png")

    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-security-policy"].startswith("sandbox")
