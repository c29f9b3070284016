"""`mhc report`: one file that opens without a network and without a script, and shows no text of the data."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from shutil import copytree, rmtree

import pytest

from mhc.cli.commands.report import FORMATS
from mhc.cli.main import run
from mhc.production import ledger
from mhc.record import Failure, Gate, Lineage
from tests.cli.conftest import Answer
from tests.support.builders import a_run, data_facts
from tests.support.measured import a_measured_run, write_evidence

RECORDED = Path(__file__).resolve().parents[1] / "recorded" / "project"
SCRIPT = "<script>alert(1)</script>"
EVIL = f"\x1b[2J\x1b]0;owned\x07\x9b31m\u202e\x00\r{SCRIPT}"
SWEEP = "search_20261120_120000_beef_sweep"
CANARY = "the quick canary of a post"
PASSED = Gate(name="accuracy", verdict="passed", reason="0.62 is at least 0.55", measured=0.62, threshold=0.55)
FAILED = Gate(name="recall", verdict="failed", reason="0.08, at least 0.2", measured=0.08, threshold=0.2, remedy="rows")


class Page(HTMLParser):
    """The elements and the text of a page, as a browser sees them."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def fill(outputs: Path) -> None:
    """Write runs of every kind: good, bad, failed, archived, in a sweep, with hostile names and planted texts."""
    for seed, quality in enumerate((1.0, 3.0, 2.0)):
        folder = a_measured_run(
            outputs, f"search_20261120_12000{seed}_000{seed}", quality=quality, seed=seed, sweep=SWEEP,
            f1_macro=0.3 + quality / 10, candidate=quality == 3.0, gates=[PASSED, FAILED],
        )  # fmt: skip
        config = folder / ".hydra" / "config.yaml"
        config.write_text(config.read_text().replace("0.0003", f"{10.0**-seed:g}"))
        (folder / "train.log").write_text(CANARY)
        (folder / "posts.csv").write_text(CANARY)
    failure = Failure(type="ValueError", sentence="Its message is not kept", traceback="traceback.txt")
    a_run(outputs, "broken_20261120_160000_0008", status="failed", failure=failure, note=CANARY)
    a_run(outputs, "old_20260101_090000_000b", location="archived", f1_macro=0.2, accuracy=0.3)
    a_run(outputs, "evil_20261120_170000_0009", name=SCRIPT, tags=["$x_1^2$"], description=f'"{SCRIPT}', f1_macro=0.9)
    a_run(outputs, "smoke_20261120_180000_000a", category="debug", f1_macro=0.95)
    (outputs / "events.jsonl").write_text(
        '{"at":"2026-02-01T00:00:00Z","run":"old_20260101_090000_000b","what":"archived","by":"ana","why":"too old"}\n'
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with runs and their report, which is made once."""
    folder = tmp_path_factory.mktemp("report")
    fill(folder / "outputs")
    folders = ["--outputs", str(folder / "outputs"), "--models", str(folder / "models")]
    assert run([*folders, "report", "--all", "-o", str(folder / "all.html")]) == 0
    for kind, name in {"md": "all.md", "latex": "all.tex"}.items():
        assert run([*folders, "report", "--all", "--format", kind, "-o", str(folder / name)]) == 0
    return folder


@pytest.fixture(scope="module")
def page(place: Path) -> Page:
    return Page((place / "all.html").read_text())


def test_page_needs_no_network_and_no_script(place: Path, page: Page) -> None:
    assert not page.all("script")
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    targets = [value for _, attributes in page.tags for name, value in attributes.items() if name in ("src", "href")]
    assert targets
    assert all(target is not None and target.startswith("#") for target in targets)
    assert not re.search(r"@import|url\((?!#)", (place / "all.html").read_text())


def test_page_has_every_section(page: Page) -> None:
    for title in (
        "State of the runs", "Leaderboard", "Sweeps", "Learning curves", "Single runs", "Candidates, gate by gate",
        "Runs that have not completed", "What was archived, and why",
    ):  # fmt: skip
        assert page.text.count(title) >= 2, title  # the link and the heading
    assert "2026-02-01, ana: too old" in page.text
    assert "would change it: rows" in page.text


def test_best_on_validation_is_the_first(place: Path) -> None:
    text = (place / "all.md").read_text().replace("\\", "")
    board = text.partition("## Leaderboard")[2]
    order = ["evil_20261120", *(f"search_20261120_12000{number}" for number in (1, 2, 0)), "smoke_20261120"]
    places = [board.index(name) for name in order]
    assert places == sorted(places)
    assert re.search(r"search_20261120_120001_0001 \| baseline \| baseline \| 0\.600 \(0\.\d+ to 0\.\d+\)", board)


def test_script_in_a_name_is_text(page: Page, place: Path) -> None:
    assert not page.all("script")
    for name in ("all.html", "all.md"):
        assert SCRIPT not in (place / name).read_text()


def test_no_text_of_the_data_is_in_a_report(place: Path) -> None:
    reports = [place / "all.html", place / "all.md", place / "all.tex"]
    assert not [path.name for path in reports if CANARY.encode() in path.read_bytes()]


def test_figures_have_a_text_and_ids_are_unique(page: Page) -> None:
    pictures = [attributes for tag, attributes in page.tags if attributes.get("role") == "img"]
    assert len(pictures) == len(page.all("svg")) > 5
    assert all(len(picture["aria-label"] or "") > 30 for picture in pictures)
    ids = Counter(attributes["id"] for _, attributes in page.tags if "id" in attributes)
    assert max(ids.values()) == 1
    assert len(page.all("main")) == len(page.all("h1")) == 1


def test_colours_of_figures_follow_the_theme(place: Path) -> None:
    content = (place / "all.html").read_text()
    assert "stroke: var(--series-1)" in content
    drawings = "".join(re.findall(r"<svg.*?</svg>", content, flags=re.DOTALL))
    assert not set(re.findall(r"#[0-9a-f]{6}", drawings))


def test_figures_are_files_of_three_kinds(mhc: Callable[..., Answer], outputs: Path, tmp_path: Path) -> None:
    rmtree(a_measured_run(outputs, "drawn_20261120_120000_0001") / "evaluation")
    figures = tmp_path / "new" / "figures"
    assert mhc("report", "drawn", "-o", str(tmp_path / "drawn.html"), "--figures", str(figures)).code == 0
    starts = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}
    drawn = [path for path in figures.iterdir() if path.stem.startswith("curves-")]
    assert len(drawn) == 9
    assert all(path.read_bytes().startswith(starts[path.suffix]) for path in drawn)


def test_latex_is_tables_with_escaped_characters(place: Path) -> None:
    text = (place / "all.tex").read_text()
    assert text.count(r"\begin{tabular}") == text.count(r"\toprule") == text.count(r"\end{table}") >= 2
    assert r"search\_20261120\_120001\_0001" in text
    bodies = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert bodies
    assert not [line for line in bodies if re.search(r"(?<!\\)[_#%$]", line)]


def test_report_changes_nothing_in_the_runs(place: Path) -> None:
    before = content_of(place / "outputs")
    folders = ["--outputs", str(place / "outputs"), "--models", str(place / "models")]
    assert run([*folders, "report", "broken", "old", "-o", str(place / "again.html")]) == 0
    assert content_of(place / "outputs") == before


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and ".index" not in path.name}


def test_report_on_one_run_shows_its_details(mhc: Callable[..., Answer], outputs: Path, tmp_path: Path) -> None:
    a_measured_run(outputs, "solo_20261120_120000_0001", gates=[FAILED], candidate=False)
    target = tmp_path / "solo.html"
    assert mhc("report", "solo", "-o", str(target)).code == 0
    page = Page(target.read_text())
    assert "Leaderboard" not in page.text
    assert page.text.count("Confusion matrix on") >= 2
    assert "suicidal (high-risk)" in page.text


def test_candidates_and_champion_of_recorded_runs_are_shown(mhc: Callable[..., Answer], tmp_path: Path) -> None:
    copytree(RECORDED, tmp_path, dirs_exist_ok=True)
    target = tmp_path / "recorded.html"
    assert mhc("report", "--all", "-o", str(target)).code == 0
    text = Page(target.read_text()).text
    assert "Champion now: bag_v1." in text
    assert "champion rolled back to bag_v1 (was encoder_v1) by ada" in text
    assert "it is the champion already, as bag_v1" in text
    assert "seeds_20261126_172346_ec87: 15 of 15 gates passed" in text
    assert text.count("Confusion matrix on test") >= 3


def test_evidence_that_cannot_be_read_is_left_out(mhc: Callable[..., Answer], outputs: Path, tmp_path: Path) -> None:
    folder = a_measured_run(outputs, "torn_20261120_120000_0001")
    (folder / "evaluation" / "val.npz").write_bytes(b"PK\x03\x04 torn")
    (folder / "evaluation" / "test.npz").unlink()
    target = tmp_path / "torn.html"
    assert mhc("report", "--all", "-o", str(target)).code == 0
    page = Page(target.read_text())
    assert "Confusion matrix" not in page.text
    assert "0.580" in page.text


def test_many_labels_of_any_script_are_shown(mhc: Callable[..., Answer], outputs: Path, tmp_path: Path) -> None:
    labels = ("$\\frac{1}", "_hidden", "우울", "<b>", *(f"label {number}" for number in range(40)))
    facts = data_facts(labels=list(labels), high_risk=["$\\frac{1}"])
    folder = a_measured_run(outputs, "many_20261120_120000_0001", data=facts)
    for split in ("val", "test"):
        write_evidence(folder, split, 2.0, 1, labels)
    target = tmp_path / "many.html"
    assert mhc("report", "many", "-o", str(target)).code == 0
    page = Page(target.read_text())
    assert "우울" in page.text
    assert not page.all("b")


def test_figures_of_similar_ids_have_own_names(mhc: Callable[..., Answer], outputs: Path, tmp_path: Path) -> None:
    for end in ("0001", "0002"):
        a_measured_run(outputs, f"{'long' * 30}_20261120_120000_{end}")
    target = tmp_path / "long.html"
    assert mhc("report", "--all", "-o", str(target)).code == 0
    ids = Counter(attributes["id"] for _, attributes in Page(target.read_text()).tags if "id" in attributes)
    assert max(ids.values()) == 1


def test_damaged_ledger_is_a_remark(mhc: Callable[..., Answer], outputs: Path, tmp_path: Path) -> None:
    a_run(outputs, candidate=True, gates=[PASSED])
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / ledger.FILE).write_text("{}\n")
    target = tmp_path / "report.html"
    assert mhc("report", "--all", "-o", str(target)).code == 0
    assert "ledger" in target.read_text()


@pytest.mark.parametrize("kind", ["html", "md", "latex"])
def test_no_folder_of_the_user_is_in_a_report(
    mhc: Callable[..., Answer], outputs: Path, tmp_path: Path, kind: str
) -> None:
    home = "/home/ana/secret_project"
    failure = Failure(type="NotFound", sentence=f"No file {home}/posts.csv")
    for number in (1, 2):
        data = f"data.train={home}/train{number}.csv"
        folder = a_measured_run(
            outputs, f"own_20261120_12000{number}_0001", sweep=SWEEP, failure=failure, gates=[FAILED], seed=number,
            lineage=Lineage(overrides=[data], command=["python", data]), description=f"see {home}/notes.txt",
        )  # fmt: skip
        (folder / ".hydra" / "config.yaml").write_text(f"data:\n  train: {home}/train{number}.csv\n")
    (outputs / "torn").mkdir()
    (outputs / "torn" / "run.json").write_text("{")
    target = tmp_path / f"report{Path(FORMATS[kind]).suffix}"
    assert mhc("report", "--all", "--format", kind, "-o", str(target)).code == 0
    content = target.read_text()
    assert "train2" in content
    assert "ana" not in content.replace("analysis", "")
    assert "secret" not in content
    assert str(tmp_path) not in content


def test_report_needs_a_selection(mhc: Callable[..., Answer], outputs: Path) -> None:
    answer = mhc("report")
    assert answer.code == 2
    assert "--all" in answer.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--all"], "No run in"),
        (["--sweep", "nothing"], "No sweep 'nothing'"),
        (["nothing"], "nothing"),
    ],
    ids=["no runs", "no sweep", "no run"],
)
def test_empty_selection_is_refused(mhc: Callable[..., Answer], outputs: Path, words: list[str], sentence: str) -> None:
    answer = mhc("report", *words)
    assert answer.code == 1
    assert sentence in answer.err


@pytest.mark.parametrize("name", ["run.json", "report.md", "pipe.html"])
def test_output_is_a_regular_file_with_its_ending(
    mhc: Callable[..., Answer], outputs: Path, tmp_path: Path, name: str
) -> None:
    a_run(outputs)
    target = tmp_path / name
    if name == "pipe.html":
        os.mkfifo(target)
    answer = mhc("report", "--all", "-o", str(target))
    assert answer.code == 1
    assert str(target) in answer.err
    assert not target.is_file()


@pytest.mark.parametrize("kind", ["html", "md", "latex"])
def test_control_characters_are_in_no_report(
    mhc: Callable[..., Answer], outputs: Path, tmp_path: Path, kind: str
) -> None:
    gates = [Gate(name=EVIL, verdict=EVIL, reason=EVIL, remedy=EVIL)]
    a_measured_run(
        outputs, "evil_20261120_120000_0001", name=EVIL, tags=[EVIL], description=EVIL, category_reason=EVIL,
        data=data_facts(name=EVIL, high_risk=[EVIL]), gates=gates, status_reason=EVIL, candidate=True,
    )  # fmt: skip
    target = tmp_path / f"report{Path(FORMATS[kind]).suffix}"
    assert mhc("report", "--all", "--format", kind, "-o", str(target)).code == 0
    content = target.read_text()
    assert not set(content) & set("\x1b\x9b\x00\x07\u202e\r")
    assert SCRIPT not in content


def test_missing_folder_of_the_output_is_named(mhc: Callable[..., Answer], outputs: Path, tmp_path: Path) -> None:
    a_run(outputs)
    answer = mhc("report", "--all", "-o", str(tmp_path / "missing" / "report.html"))
    assert answer.code == 1
    assert "does not exist" in answer.err
