"""The run browser: its data are those of the runs, and nothing of a run becomes HTML."""

from __future__ import annotations

import json
import math
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toyset

import qgen_core as qgen
from qgen_core.errors import BadOption, CheckpointError, DataError
from qgen_core.runs import evaluation
from qgen_core.runs import run as runs
from qgen_core.runs.browser import browser_data, thinned, write_browser
from qgen_core.runs.compare import as_text, compare
from qgen_core.runs.folder import RunFolder
from qgen_core.runs.recipes import Recipe

WICKED = "<img src=x onerror=alert(1)>"


def trained(recipe: Recipe, folder: Path, *, evaluate: bool = True) -> Path:
    runs.train(recipe, folder)
    if evaluate:
        RunFolder(folder).save_evaluation(evaluation.evaluate(runs.Run(folder)))
    return folder


class Page(HTMLParser):
    """The tags of a page, what it refers to, and the texts of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.scripts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "link", "input"):
            self.open.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), f"{tag} has {name}"
            if name in ("src", "href", "action"):
                self.addresses.append(value or "")
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data

    @property
    def data(self) -> dict[str, Any]:
        def refused(name: str) -> None:
            raise AssertionError(f"{name} is no JSON")

        found: dict[str, Any] = json.loads(self.scripts[0], parse_constant=refused)
        return found


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two runs on the same events, one on others, and one that is not evaluated."""
    folder = tmp_path_factory.mktemp("browser") / "study"
    toyset.offer()
    recipe = Recipe.parse(toyset.RECIPE)
    trained(recipe.changed(["trainer.steps=3"]), folder / WICKED)
    trained(recipe.changed(["trainer.steps=400"]), folder / "long")
    trained(recipe.changed(["trainer.steps=3", "seed=8"]), folder / "deep" / "run")
    trained(recipe.changed(["trainer.steps=3"]), folder / "waiting", evaluate=False)
    return folder


def test_the_page_holds_what_the_evaluations_hold(study: Path, tmp_path: Path) -> None:
    page = Page(qgen.compare([study]).html(tmp_path / "runs.html").read_text(encoding="utf-8"))
    data = page.data
    by_id = {column["id"]: column for column in data["columns"]}
    assert {run["name"] for run in data["runs"]} == {WICKED, "long", "run"}
    for run in data["runs"]:
        folder = study / {"run": "deep/run"}.get(run["name"], run["name"])
        saved = json.loads((folder / "evaluation.json").read_text())
        scores = [run["cells"][name] for name in by_id if by_id[name]["kind"] == "score"]
        assert scores == saved["metrics"]
        marginals = []
        for marginal in run["marginals"]:
            marginals.append(marginal | data["references"][marginal["reference"]])
        assert marginals == saved["marginals"]
        history = RunFolder(folder).history()
        steps, losses = run["history"]["loss"]
        assert [history[step]["loss"] for step in steps] == losses
        assert len(steps) == min(len(history), 300)
        assert run["marks"] == ["stand-in data"]
        cells = {by_id[name]["title"]: cell for name, cell in run["cells"].items()}
        assert cells["trainer.steps"] == len(history)
        assert cells["last loss"] == history[-1]["loss"]
        assert cells["bins"] == {"run": "bins 2"}.get(run["name"], "bins 1")
    assert len(data["references"]) == 2 * 2, "two columns of two different references"


def test_the_page_needs_nothing_else_and_takes_no_html_from_runs(
    study: Path, tmp_path: Path
) -> None:
    html = write_browser(compare([study]), tmp_path / "runs.html").read_text(encoding="utf-8")
    page = Page(html)
    assert page.addresses == ["data:,"]
    assert "img" not in page.tags and page.tags.count("script") == 2
    assert not re.search(r"url\(|@import|fetch\(|XMLHttp|innerHTML|https?://(?!www\.w3\.org)", html)
    assert "different bins" in html, "what cannot be compared is said"
    assert "waiting is not evaluated" in html, "what is left out is said"


def test_runs_that_are_no_runs(study: Path, tmp_path: Path) -> None:
    found = compare([study, study / "long"])
    assert sorted(found["names"]) == sorted([WICKED, "long", "run"]), "each once"
    assert "different bins" in as_text(found)
    with pytest.raises(DataError, match="not evaluated"):
        compare([study / "waiting"])
    shutil.copytree(study / "waiting", tmp_path / "only" / "waiting")
    with pytest.raises(DataError, match="none of the runs is evaluated: .*waiting"):
        compare([tmp_path / "only"])
    with pytest.raises(CheckpointError, match="not a run folder"):
        compare([tmp_path / "nowhere"])
    with pytest.raises(BadOption, match=r"\.html"):
        write_browser(found, tmp_path / "runs.pdf")


def test_stand_ins_and_emulated_samplers_are_called_so() -> None:
    source = "emulated annealer (zephyr 2, chip 0)"
    run = {
        "name": "a",
        "run": {"data": {"kind": "simulated"}, "sampler": {"sources": [source]}},
        "evaluation": {
            "reference": {"kind": "stand-in"},
            "generated": {"sampler source": source, "warning": "a part was lost"},
        },
        "history": [{"step": 0, "loss": math.inf}],
        "lost": [],
    }
    result = {"runs": [run], "metrics": [], "differences": {}, "losses": [1.0]}
    cost = {"parameters": 3, "training": None, "generating": math.nan}
    (found,) = browser_data(result | {"costs": [cost]})["runs"]
    assert found["marks"] == ["simulated data", "stand-in reference", source, "a part was lost"]
    assert found["history"]["loss"] == [[0], [None]], "JSON has no infinity"
    assert list(found["cells"].values()) == [1.0, 3, None, None]


@pytest.mark.parametrize("seed", range(4))
def test_thinned_curves_keep_their_extremes(seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=5000).cumsum()
    values[1234] += 1e4
    kept = thinned(values.tolist(), most=100)
    assert len(kept) <= 100 and kept == sorted(set(kept))
    assert {int(values.argmin()), int(values.argmax())} <= set(kept)
    assert max(np.diff([-1, *kept, 5000])) <= 200, "no stretch is left out"
