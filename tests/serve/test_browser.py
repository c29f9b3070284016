"""The pages in Debian's Chromium: filter, sort, open, a live run that moves, a promotion refused and one approved."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mhc.production.api import Registry
from mhc.runs.liveness import this_process
from tests.serve.conftest import serving
from tests.support.builders import LABELS, a_run
from tests.support.promotions import World, a_trained_run, make_world
from tests.support.served import a_linear_bundle
from tests.support.served import promote as enter

CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip("Chromium is not installed; on Debian: apt-get install chromium", allow_module_level=True)
api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed; it is in the extra test")

GOOD, SYNTHETIC = "good_20261120_120000_0001", "synthetic_20261120_130000_0002"
LIVE = "live_20261126_130000_0004"
SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, world: World) -> Path:
    """Write two runs that can be judged, one of which is refused, an invented weak one, and one that is running."""
    folder = tmp_path_factory.mktemp("served")
    a_trained_run(folder / "outputs", folder / "models", world, GOOD)
    a_trained_run(folder / "outputs", folder / "models", world, SYNTHETIC, quality="weak", data={"synthetic": True})
    a_run(folder / "outputs", "other_20261120_140000_0003", f1_macro=0.2, name="<img src=x onerror=alert(1)>")
    a_run(folder / "outputs", LIVE, status="running", process=this_process(), created=datetime.now(UTC))
    return folder


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    with serving(home) as (url, _):
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[api.Browser]:
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: api.Browser, address: str) -> Iterator[api.Page]:
    """Return a page on the runs; afterwards check that its policy hindered nothing and no script failed."""
    opened = browser.new_page(viewport={"width": 1440, "height": 900})
    complaints: list[str] = []
    opened.set_default_timeout(120_000)
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("dialog", lambda dialog: complaints.append("a dialog"))
    opened.goto(address)
    yield opened
    opened.close()
    assert not [text for text in complaints if "status of 422" not in text]


def shown(page: api.Page) -> list[str]:
    return [row.get_attribute("data-run") or "" for row in page.locator("table.runs tbody tr").all()]


def test_runs_are_filtered_sorted_and_opened(page: api.Page) -> None:
    assert set(shown(page)) == {GOOD, SYNTHETIC, LIVE, "other_20261120_140000_0003"}
    page.get_by_label("Condition").fill("val.f1_macro >= 0.3")
    page.get_by_role("button", name="Show", exact=True).click()
    assert "where=val.f1_macro" in page.url
    assert set(shown(page)) == {GOOD, SYNTHETIC}
    page.get_by_role("link", name="val F1").click()
    assert shown(page) == [GOOD, SYNTHETIC]
    page.get_by_role("link", name="val F1").click()
    assert shown(page) == [SYNTHETIC, GOOD]
    page.get_by_label(f"Compare {GOOD}").check()
    page.get_by_label(f"Compare {SYNTHETIC}").check()
    page.get_by_role("button", name="Compare the chosen runs").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Compare 2 runs"
    page.get_by_role("link", name="Runs", exact=True).click()
    page.locator("table.runs").get_by_role("link", name=GOOD).click()
    assert page.get_by_role("heading", level=1).inner_text() == GOOD
    picture = page.locator("img.picture").first
    picture.scroll_into_view_if_needed()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0


def test_live_run_moves_without_a_reload(page: api.Page, home: Path) -> None:
    log = home / "outputs" / LIVE / "train.log"
    row = page.locator(f'#live-rows tr[data-live="{LIVE}"]')
    for epoch in ("1/4", "3/4"):
        with log.open("a") as out:
            out.write(f"2026-11-26 INFO mhc.progress epoch {epoch}  loss 0.512  val macro-F1 0.812  1:10 left\n")
        api.expect(row.locator('[data-field="epoch"]')).to_have_text(epoch, timeout=20_000)
    assert "macro-F1 0.812" in row.locator('[data-field="facts"]').inner_text()
    a_run(home / "outputs", "later_20261126_140000_0005")
    api.expect(page.locator("#news")).to_contain_text("There are now 5 runs", timeout=20_000)
    shutil.rmtree(home / "outputs" / "later_20261126_140000_0005")


def promote(page: api.Page, run: str) -> None:
    page.locator("table.runs").get_by_role("link", name=run).click()
    page.locator("#promote summary").click()
    form = page.locator('form[action="/actions/promote"]')
    form.get_by_label("Your name").fill("ada")
    form.get_by_label("Reason").fill("best of the week")
    form.get_by_role("button", name="Promote").click()


def test_promotion_is_refused_and_another_approved(page: api.Page, home: Path) -> None:
    promote(page, SYNTHETIC)
    assert page.locator(".refused").inner_text() == f"{SYNTHETIC} was not promoted:"
    assert page.locator(".lines li", has_text="synthetic").count()
    page.get_by_role("link", name="Runs", exact=True).click()
    promote(page, GOOD)
    assert page.locator(".done").inner_text() == f"{GOOD} is promoted as good_v1"
    page.get_by_role("link", name="Production").click()
    assert page.get_by_role("cell", name="good_v1", exact=True).is_visible()
    history = Registry(home / "models", home / "outputs").history()
    assert [(entry.what, entry.by) for entry in history] == [("refused", "ada"), ("promoted", "ada")]


def test_text_is_tried_and_is_in_no_address(page: api.Page, home: Path) -> None:
    a_linear_bundle(home / "models" / "production" / "words_v1")
    enter(home / "models", "words_v1", "words")
    page.get_by_role("link", name="Try a text").click()
    page.get_by_label("Text", exact=True).fill("the quiet river")
    page.get_by_label("Bundle").select_option("words")
    page.get_by_label("Show which words moved it").check()
    page.get_by_role("button", name="Label the text").click()
    api.expect(page.get_by_role("heading", level=2).first).to_have_text("Prediction")
    assert page.locator("#prediction tbody tr").count() == len(LABELS)
    assert page.get_by_label("Text", exact=True).input_value() == "the quiet river"
    assert page.url.endswith("/try")
    assert_is_heard_and_fits(page, "/try")


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_pages_have_no_serious_fault_for_those_who_hear_them(
    browser: api.Browser, address: str, width: int, scheme: str
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    for path in (
        "",
        f"runs/{GOOD}",
        f"compare?run={GOOD}&run={SYNTHETIC}",
        "candidates",
        "production",
        "try",
        "nowhere",
    ):
        page.goto(f"{address}{path}")
        for closed in page.locator("details").all():
            closed.evaluate("element => { element.open = true; }")
        assert_is_heard_and_fits(page, path)
    page.close()


def assert_is_heard_and_fits(page: api.Page, path: str) -> None:
    """Check that a page has no serious fault for those who hear it, and is no wider than its window."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    faults = [one for one in axe.run(page).response["violations"] if one["impact"] in SERIOUS]
    assert not faults, (path, [(one["id"], [node["html"][:200] for node in one["nodes"][:3]]) for one in faults])
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{path} is too wide"
