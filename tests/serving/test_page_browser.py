"""The page in a real browser: nothing leaves the host, nothing complains, keys move what moves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from router import Router
from tests.serving import chromium
from tests.serving.chromium import Tab, browser
from tests.serving.conftest import Service
from tests.worlds.logs import write_log

pytestmark = [
    pytest.mark.service,
    pytest.mark.skipif(chromium.BINARY is None, reason="no Chromium on this machine"),
]
TAB, LEFT = ("Tab", 9), ("ArrowLeft", 37)
FOCUS = "document.activeElement.id || document.activeElement.tagName"
OUTLINE = "getComputedStyle(document.activeElement).outlineStyle"
SCREENS = [(1280, 900, "light"), (1280, 900, "dark"), (390, 844, "light"), (390, 844, "dark")]
# the luminance contrast of every text against what is painted behind it, the worst first (WCAG 2.2)
CONTRAST = """
(() => {
  const rgb = (text) => (text.match(/[0-9.]+/g) || []).map(Number);
  const light = (c) => [0, 1, 2].map((i) => c[i] / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => {
    for (let at = e; at; at = at.parentElement) {
      const c = rgb(getComputedStyle(at).backgroundColor);
      if (c.length === 3 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || e.closest("title, option, .skip")) continue;
    const style = getComputedStyle(e);
    const ink = e.closest("svg") ? style.fill : style.color;
    const [a, b] = [light(rgb(ink)), light(behind(e.closest("svg") || e))].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), e.className.toString() || e.tagName]);
  }
  return found.sort((x, y) => x[0] - y[0]).slice(0, 3);
})()
"""


@pytest.fixture(scope="module")
def running(
    run_service: Callable[..., Service], tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Service:
    folder = tmp_path_factory.mktemp("log")
    write_log(folder, Router.load(tiny_bundle), 2000, now=time.time(), explored=0.3)
    service = run_service(["router", "serve", str(tiny_bundle)], TIERWISE_LOG_DIR=str(folder))
    service.wait(200)
    until = time.monotonic() + 60
    while b"data-unread" in service(path="/", headers={}).body:
        assert time.monotonic() < until
        time.sleep(0.2)
    return service


async def look(page: Tab, base: str, path: str, screen: tuple[int, int, str]) -> None:
    width, height, scheme = screen
    await page.open(f"{base}{path}", width=width, height=height, scheme=scheme)
    assert await page.value("document.documentElement.scrollWidth") <= width
    worst = await page.value(CONTRAST)
    assert worst[0][0] >= 4.5, (screen, path, worst)


def test_every_page_on_every_screen(running: Service, tmp_path: Path) -> None:
    async def visits() -> None:
        base = f"http://127.0.0.1:{running.port}"
        async with browser(tmp_path) as session:
            for screen in SCREENS:
                for path in ("/", "/decisions", "/try", "/decisions/x"):
                    async with chromium.tab(session) as page:
                        await look(page, base, path, screen)
                        assert page.requests
                        assert all(url.startswith(base) for url in page.requests)
                        # a page that is not there is what the browser itself remarks on
                        missing = [c for c in page.complaints if "404" in c]
                        assert len(missing) == (path == "/decisions/x")
                        assert page.complaints == missing

    asyncio.run(visits())


def test_keys_alone_reach_everything_and_move_the_threshold(
    running: Service, tmp_path: Path
) -> None:
    async def walk() -> None:
        base = f"http://127.0.0.1:{running.port}"
        async with browser(tmp_path) as session, chromium.tab(session) as page:
            await page.open(f"{base}/", width=1280, height=900, scheme="light")
            seen: list[str] = []
            while len(seen) < 100 and (not seen or seen[-1] != "BODY"):
                await page.press(*TAB)
                seen.append(await page.value(FOCUS))
                assert seen[-1] == "BODY" or await page.value(OUTLINE) != "none", seen
                if seen[-1] == "threshold":
                    before = await page.value("document.getElementById('s-usd').textContent")
                    for _ in range(10):
                        await page.press(*LEFT)
                    assert await page.value("document.getElementById('t').textContent") == "0.00"
                    after = await page.value("document.getElementById('s-usd').textContent")
                    assert after != before
            for name in ("days", "against", "threshold", "prompt", "try-threshold", "try-against"):
                assert name in seen
            assert seen.count("SUMMARY") >= 3
            assert seen.count("A") >= 20

    asyncio.run(walk())
