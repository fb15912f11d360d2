"""The report page: self-contained by an HTML check that always runs, and shown by a browser where
there is one.
"""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from chromium_pages import NARROWEST, dom_after

from qgen_core.runs import evaluation
from qgen_core.runs import run as runs
from qgen_core.runs.folder import RunFolder
from qgen_core.runs.recipes import Recipe
from qgen_core.runs.report import write_report

RECIPE = Path(__file__).parents[2] / "recipes" / "jets.toml"
SECTIONS = [
    "Summary",
    "Marginal distributions",
    "Joint distribution",
    "Correlations",
    "Metrics",
    "Training",
    "Circuit",
    "Model card",
    "Recipe",
    "Provenance",
]
VOID = {"meta", "link", "img", "br", "input", "hr"}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "<b>jets & co"
    runs.train(Recipe.read(RECIPE, ["trainer.steps=20"]), folder)
    RunFolder(folder).save_evaluation(evaluation.evaluate(runs.Run(folder)))
    return write_report(folder)


class Outline(HTMLParser):
    """Collects headings, addresses and images, and notes tags that do not close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.addresses: list[str] = []
        self.images: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "action", "srcset"):
                (self.images if tag == "img" else self.addresses).append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


def test_page_is_self_contained(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    outline = Outline()
    outline.feed(text)
    assert outline.open == []
    assert outline.headings == SECTIONS
    assert all(address.startswith(("#", "data:,")) for address in outline.addresses)
    assert len(outline.images) >= 6
    for image in outline.images:
        kind, _, data = image.partition(";base64,")
        begins = {"data:image/png": b"\x89PNG", "data:image/svg+xml": b"<svg"}[kind]
        assert base64.b64decode(data, validate=True).startswith(begins)
    assert not {"script", "iframe", "object", "embed", "form"} & outline.tags
    assert not re.search(r"url\(|@import", text)
    assert "&lt;b&gt;jets &amp; co" in text and "<b>jets" not in text


@pytest.mark.parametrize("width", [1280, 390])
def test_page_in_a_browser(page: Path, width: int, tmp_path: Path) -> None:
    script = (
        "window.onload = () => { document.body.dataset.width = "
        "document.documentElement.scrollWidth;"
        "document.body.dataset.broken = [...document.images].filter(i => !i.naturalWidth).length; "
        "};"
    )
    dom = dom_after(page, script, tmp_path, width)
    for title in SECTIONS:
        assert f"<h2>{title}</h2>" in dom
    assert 'data-broken="0"' in dom
    shown = re.search(r'data-width="(\d+)"', dom)
    assert shown is not None
    assert int(shown.group(1)) <= max(width, NARROWEST), "the page is wider than the window"
