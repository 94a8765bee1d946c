"""A real Chromium, and pages opened in it with an eye on whatever they do.

Without a Chromium these tests are skipped; `make test-browser` installs one and lets none be skipped."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from browser.install import chromium
from playwright.sync_api import Browser, Page, sync_playwright

_QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
WIDTHS = (1280, 400)


@dataclass
class Opened:
    """A page, and what it did that no report may do."""

    page: Page
    troubles: list[str] = field(default_factory=list)

    @property
    def overflows(self) -> int:
        """Pixels by which the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))

    def rows(self) -> list[str]:
        """Ranks of the rows that are seen, in their order."""
        return self.page.locator("#ranks > tbody:visible > tr:first-child > .rank").all_inner_texts()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = chromium()
    if program is None:
        if os.environ.get("TEST_BROWSER"):
            pytest.fail("no Chromium; run make test-browser")
        pytest.skip("no Chromium on this machine; make test-browser installs one")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=[*_QUIET])
        yield started
        started.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """Opens a page's source in a window of this width; at the end nothing may have gone wrong in any."""
    made: list[Opened] = []

    def open_(source: str, width: int = 1280, **options: Any) -> Opened:
        file = tmp_path / f"page-{len(made)}.html"
        file.write_text(source, encoding="utf-8")
        page = browser.new_page(viewport={"width": width, "height": 900}, **options)
        one = Opened(page)
        made.append(one)
        page.on("dialog", lambda dialog: (one.troubles.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("console", lambda message: one.troubles.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: one.troubles.append(f"error: {error}"))
        page.on("popup", lambda popup: one.troubles.append(f"popup: {popup.url}"))
        page.on("request", lambda request: request.url == file.as_uri() or one.troubles.append(request.url))
        page.goto(file.as_uri())
        return one

    yield open_
    for one in made:
        one.page.close()
    assert [one.troubles for one in made] == [[] for _ in made]
