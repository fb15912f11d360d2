"""The run browser in Chromium: sorting, filters, ticks, overlays, and names that look like HTML."""

from __future__ import annotations

import html
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium_pages import NARROWEST, dom_after

from qgen_core.runs.browser import write_browser
from qgen_core.runs.compare import compared, side_by_side

WICKED = '</script><img src="x" onerror="document.title = 1"><b>7'
STAND_IN = "stand-in data"


def made_up(number: int) -> dict[str, Any]:
    """The material of a run, with numbers that are made up."""
    rng = np.random.default_rng(number)
    edges = np.linspace(0.0, 10.0, 6)
    if number == 5:
        edges = np.linspace(0.0, 12.0, 7)
    size = len(edges) - 1
    expected = np.arange(1.0, size + 1)
    found = rng.integers(1, 50, size).astype(float)
    score: dict[str, Any] = {
        "metric": "tv",
        "name": "tv(pt)",
        "value": float(rng.uniform(0.01, 0.9)),
        "uncertainty": 0.0123,
        "floor": 0.01,
        "floor_spread": 0.002,
    }
    generator = ("qcbm", "rbm", WICKED)[number % 3]
    return {
        "name": WICKED if number == 7 else f"run {number}",
        "recipe": {
            "seed": number,
            "split": [0.8, 0.1, 0.1],
            "dataset": {"name": "toy"},
            "encoder": {"name": "binning"},
            "generator": {"name": generator},
            "loss": {"name": "js"},
            "trainer": {"name": "adam", "steps": 10 + number},
        },
        "run": {
            "data": {"kind": "stand-in"},
            "model": {"parameters": 100 - number},
            "timed": {"steps": 0, "processor seconds": 0.0},
        },
        "lost": [],
        "history": [{"step": step, "loss": 1 / (step + 1)} for step in range(10 + number)],
        "evaluation": {
            "metrics": [score] if number != 3 else [],
            "bins": {"sha256": str(size)},
            "generated": {},
            "reference": {"kind": "stand-in"},
            "marginals": [
                {
                    "column": "pt",
                    "unit": "GeV",
                    "edges": edges.tolist(),
                    "reference": expected.tolist(),
                    "reference_error": np.sqrt(expected).tolist(),
                    "generated": found.tolist(),
                    "generated_error": np.sqrt(found).tolist(),
                }
            ],
        },
    }


RUNS = [made_up(number) for number in range(40)]
SCORES = {run["name"]: run["evaluation"]["metrics"] for run in RUNS}
VALUES = {name: scores[0]["value"] for name, scores in SCORES.items() if scores}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    result = side_by_side([run["name"] for run in RUNS], [compared(run) for run in RUNS])
    folder = tmp_path_factory.mktemp("runs")
    return write_browser(result | {"runs": RUNS, "left out": [WICKED]}, folder / "runs.html")


def told(page: Path, script: str, folder: Path, width: int = 1280) -> dict[str, Any]:
    """What a script says after it has used the page; ``say`` keeps a value under a name."""
    helpers = """
      const said = {};
      const say = (name, value) => { said[name] = value; };
      const all = (what) => [...document.querySelectorAll(what)];
      const names = () => all("#table tbody label").map((one) => one.textContent.trim());
      const head = (title) =>
        all("#table thead button").find((one) => one.textContent.startsWith(title));
      const set = (box, value, event) => {
        if (box.type === "checkbox") box.checked = value; else box.value = value;
        box.dispatchEvent(new Event(event));
      };
      const filterBy = (title) => {
        const option = all("#filter-by option").find((one) => one.textContent === title);
        at("filter-by").value = option.value;
        at("add-filter").click();
        return all("#filters fieldset").at(-1);
      };
    """
    end = "document.body.dataset.said = JSON.stringify(said);"
    dom = dom_after(page, f"{helpers}{script}{end}", folder, width)
    found = re.search(r'data-said="([^"]*)"', dom)
    assert found is not None, dom[-2000:]
    result: dict[str, Any] = json.loads(html.unescape(found.group(1)))
    return result


def test_columns_sort_both_ways_and_missing_values_come_last(page: Path, tmp_path: Path) -> None:
    script = """
      say("by name", names());
      head("tv(pt)").click(); say("rising", names());
      say("focused", document.activeElement.textContent);
      say("aria", all("#table th[aria-sort=ascending]").map((one) => one.innerText));
      head("tv(pt)").click(); say("falling", names());
      head("parameters").click(); say("parameters", names());
    """
    said = told(page, script, tmp_path)
    assert said["by name"].index("run 2") < said["by name"].index("run 10"), "as people count"
    rising = sorted(VALUES, key=VALUES.__getitem__)
    assert said["rising"] == [*rising, "run 3"]
    assert said["falling"] == [*reversed(rising), "run 3"]
    assert said["focused"].startswith("tv(pt)"), "the keyboard stays where it was"
    assert len(said["aria"]) == 1 and said["aria"][0].startswith("tv(pt)")
    assert said["parameters"] == [run["name"] for run in reversed(RUNS)]


def test_filters_by_words_values_and_limits(page: Path, tmp_path: Path) -> None:
    script = """
      set(at("search"), "RUN rbm stand-in", "input"); say("words", names());
      say("status", at("status").textContent);
      set(at("search"), "", "input");
      const kinds = filterBy("generator");
      const labels = [...kinds.querySelectorAll("label")];
      const rbm = labels.find((one) => one.textContent.includes("rbm"));
      set(rbm.querySelector("input"), false, "change"); say("values", names());
      const limits = filterBy("tv(pt) (tv)").querySelectorAll("input");
      set(limits[0], "0.2", "input"); set(limits[1], "0.6", "input"); say("limits", names());
      all("#filters button").forEach((one) => one.click()); say("none", names().length);
    """
    said = told(page, script, tmp_path)
    rbm = [f"run {number}" for number in range(1, 40, 3) if number != 7]
    assert said["words"] == rbm
    assert said["status"] == f"{len(rbm)} of 40 runs shown, 3 ticked"
    other = {run["name"] for run in RUNS if run["recipe"]["generator"]["name"] != "rbm"}
    assert set(said["values"]) == other
    between = {name for name, value in VALUES.items() if 0.2 <= value <= 0.6}
    assert set(said["limits"]) == other & between
    assert said["none"] == 40


def test_cells_show_values_floors_and_uncertainties(page: Path, tmp_path: Path) -> None:
    script = """
      head("tv(pt)").click();
      say("cell", all("#table tbody tr")[0].innerText);
      say("short", [0.123456, 24889, 1e-7, 0.00012, 123456.7, null, 0].map((x) => shortNumber(x)));
    """
    said = told(page, script, tmp_path)
    least = min(VALUES.values())
    assert f"{least:.4g} ± 0.012" in said["cell"]
    assert "floor 0.01 ± 0.002" in said["cell"] and STAND_IN in said["cell"]
    expected = ["0.1235", "24889", "1e-7", "0.00012", "1.235e+5", "not a number", "0"]
    assert said["short"] == expected


def test_ticked_runs_are_drawn_over_their_references(page: Path, tmp_path: Path) -> None:
    script = """
      at("untick").click();
      say("empty", all("#marginals svg, #training svg").length);
      const tick = (name) => {
        const label = all("#table tbody label").find((one) => one.textContent.trim() === name);
        label.querySelector("input").click();
      };
      tick("run 4");
      say("references", all("#marginals .reference").length);
      say("path", all("#marginals path")[1].getAttribute("d"));
      tick("run 5");
      say("both", all("#marginals .reference").length);
      say("warning", all("#marginals .warning").map((one) => one.textContent));
      say("label", all("#marginals svg")[0].getAttribute("aria-label"));
      say("legend", at("legend").innerText);
      say("curves", all("#training path").length);
      const run = data.runs[4];
      const marginal = run.marginals[0];
      const edges = data.references[marginal.reference].edges;
      say("density", densityOf(marginal.generated, marginal.generated_error, edges));
      say("ticks", ticksOf(scaleOf(0, 9.7, 0, 100, false)));
      say("powers", ticksOf(scaleOf(0.02, 300, 0, 100, true)));
      say("middle", scaleOf(0.01, 100, 0, 100, true)(1));
      at("tick-shown").click();
      say("many", all("#training path").length);
    """
    said = told(page, script, tmp_path)
    assert said["empty"] == 0 and said["references"] == 1 and said["both"] == 2
    assert said["warning"] == ["These runs were evaluated with 2 different references or bins."]
    assert said["label"] == "Density of pt in run 4, run 5 and in the reference"
    assert f"run 5 ({STAND_IN})" in said["legend"]
    assert said["curves"] == 2 and said["many"] == 12
    counts = np.array(RUNS[4]["evaluation"]["marginals"][0]["generated"])
    density = counts / counts.sum() / 2.0
    assert np.allclose(said["density"]["values"], density, rtol=1e-12)
    assert np.allclose(said["density"]["errors"], np.sqrt(counts) / counts.sum() / 2.0, rtol=1e-12)
    heights = [float(number) for number in re.findall(r"V([\d.]+)H", said["path"])]
    zero = float(said["path"].partition(",")[2].partition("V")[0])
    above = zero - np.array(heights)
    assert np.allclose(above / above.max(), density / density.max(), rtol=1e-9)
    assert said["ticks"] == [0, 2, 4, 6, 8] and said["powers"] == [0.1, 1, 10, 100]
    assert math.isclose(said["middle"], 50.0)


def test_names_that_look_like_html_are_text(page: Path, tmp_path: Path) -> None:
    script = """
      filterBy("generator"); at("tick-shown").click(); set(at("search"), "onerror", "input");
      say("images", document.images.length);
      say("title", document.title);
      say("names", names());
      say("bold", all("b").length);
    """
    said = told(page, script, tmp_path)
    assert said["images"] == 0 and said["bold"] == 0 and said["title"] == "40 runs · qgen"
    assert WICKED in said["names"]


@pytest.mark.parametrize("width", [1280, NARROWEST])
def test_the_page_fits_and_the_keyboard_reaches_everything(
    page: Path, width: int, tmp_path: Path
) -> None:
    script = """
      at("columns").parentNode.open = true;
      filterBy("seed");
      say("width", document.documentElement.scrollWidth);
      const acts = "a[href], button, input, select, summary, [tabindex]";
      say("unreachable", all(acts).filter((one) => one.tabIndex < 0).length);
      say("nameless", all("input, select").filter((one) => one.labels.length === 0).length);
      say("clickable", all("[onclick]").length);
      say("region", all(".runs")[0].tabIndex);
      say("figures", all("figure svg, #training svg").filter(
        (one) => one.getAttribute("role") !== "img" || !one.getAttribute("aria-label")).length);
    """
    said = told(page, script, tmp_path, width)
    assert said["width"] <= width
    assert said["unreachable"] == said["nameless"] == said["clickable"] == said["figures"] == 0
    assert said["region"] == 0
