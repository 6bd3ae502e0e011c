"""A server, a worker, and a real browser that looks at them."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, sync_playwright

from house import Json, Server, Worker, ended
from rota.http.routes import SESSION_COOKIE

CHROMIUM = shutil.which("chromium")
ADMIN = "the administrator of the site"
QUIET = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
PICTURES = Path(__file__).parents[2] / "build" / "pages"
NOT_WORTH_TELLING = ("Failed to load resource: the server responded with a status of 4", "favicon")
"""Answers that a test asks for; everything else on the console fails it."""


class Site:
    """The server and who works for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = Server(folder / "data")
        self.url = self.server.url
        self.people: httpx2.Client = self.server.client()
        self.worker = Worker(self.url, self.server.token("enrolment"), folder / "worker", slots=4)

    def submit(self, *command: str, **spec: object) -> str:
        """A job's id."""
        answer = self.people.post("/api/v1/jobs", json={"command": list(command), **spec})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def run(self, *command: str, **spec: object) -> str:
        """The id of a job that has ended."""
        job = self.submit(*command, **spec)
        ended(self.people, job)
        return job

    def visitor(self, token: str | None = None) -> httpx2.Client:
        """A browser without a window, logged in."""
        return httpx2.Client(base_url=self.url, cookies={SESSION_COOKIE: token or self.server.admin_token})

    def job(self, job: str) -> Json:
        """As the API has it."""
        found: Json = self.people.get(f"/api/v1/jobs/{job}").json()
        return found

    def close(self) -> None:
        """End it all."""
        self.worker.stop()
        self.people.close()
        self.server.stop()


@dataclass
class Visitor:
    """Somebody with a browser window."""

    context: BrowserContext
    page: Page
    url: str
    console: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda said: self._note(said.type, said.text))
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        self.page.on("dialog", self._dismiss)

    def _dismiss(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def _note(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"} and not text.startswith(NOT_WORTH_TELLING):
            self.console.append(text)

    def log_in(self, token: str) -> None:
        """By the form, as people do."""
        self.page.goto(f"{self.url}/login")
        self.page.get_by_label("Token").fill(token)
        self.page.get_by_role("button", name="Log in").click()

    def go(self, path: str) -> Page:
        """Look at that page."""
        self.page.goto(self.url + path)
        return self.page


Visit = Callable[..., Visitor]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For one file of tests: while it is open no other test of this process could run an event loop."""
    if CHROMIUM is None:
        pytest.skip("needs chromium: apt-get install -y chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Visit]:
    """Opens windows; `token` None: not logged in. Nothing that a page complains of on its console is passed over."""
    visitors: list[Visitor] = []

    def open_window(token: str | None = ADMIN, url: str | None = None, **options: Any) -> Visitor:  # noqa: ANN401
        context = browser.new_context(**options)
        context.set_default_timeout(15_000)
        visitor = Visitor(context, context.new_page(), url or site.url)
        visitors.append(visitor)
        if token is not None:
            word = site.server.admin_token if token == ADMIN else token
            context.add_cookies([{"name": SESSION_COOKIE, "value": word, "url": visitor.url, "httpOnly": True}])
        return visitor

    yield open_window
    for visitor in visitors:
        visitor.context.close()
        assert visitor.dialogs == []
        assert visitor.console == []


@pytest.fixture
def picture() -> Callable[[Page, str], None]:
    """Keeps a picture of a page as output of the tests."""

    def keep(page: Page, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=PICTURES / f"{name}.png", full_page=True)

    return keep
