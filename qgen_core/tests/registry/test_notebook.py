"""What notebooks show of objects: valid HTML in which every text is escaped."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.interfaces import History
from qgen_core.runs.trained import Comparison, Evaluation
from qgen_core.support.notebook import ShownInNotebook
from qgen_core.support.short_repr import ShownByOptions

WICKED = "<script>alert('x')</script>&"


class Checked(HTMLParser):
    """Collects the tags and texts of HTML in which each tag must be closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def shown(thing: Any) -> Checked:
    """The HTML of an object, which begins with its repr."""
    found = Checked(thing._repr_html_())
    assert found.texts[0] == repr(thing)
    assert "script" not in found.tags
    return found


class Wicked(ShownByOptions):
    def __init__(self, *, name: str = "") -> None:
        self.name = name


def evaluated(name: str) -> dict[str, Any]:
    numbers = {"value": 0.25, "uncertainty": 0.01, "floor": 0.1, "floor_spread": 0.02}
    return {"metric": "tv", "name": name, **numbers}


def compared() -> Comparison:
    found = {
        "names": [WICKED, "b"],
        "metrics": [{"metric": "tv", "name": "tv", "cells": [evaluated("tv"), None]}],
        "differences": {"loss.name": [WICKED, "js"]},
        "warnings": [WICKED],
    }
    return Comparison(found)


def events() -> qgen.Events:
    return qgen.Events(
        np.arange(14.0).reshape(7, 2),
        np.zeros((7, 1)),
        np.ones(7),
        columns=("pt", WICKED),
        units=("GeV", "1"),
        condition_columns=("ht",),
        provenance={"kind": "stand-in"},
    )


@pytest.mark.parametrize(
    "thing",
    [
        Wicked(name=WICKED),
        events(),
        Evaluation(metrics=[evaluated(WICKED)]),
        compared(),
        History([{"step": 0, "loss": 0.5}], stopped=WICKED, warnings=[WICKED]),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_texts_are_escaped(thing: Any) -> None:
    assert any("<script>" in text for text in shown(thing).texts)


def test_events_are_a_table_with_units() -> None:
    found = shown(events())
    assert "pt [GeV]" in found.texts and "ht (condition)" in found.texts
    assert "first 5 events, kind: stand-in" in found.texts
    assert found.tags.count("tr") == 1 + 5
    many = shown(qgen.Events(np.zeros((3, 40))))
    assert many.tags.count("th") == many.tags.count("td") / 3 == 12
    assert "first 3 events, kind: not stated; 12 of 40 columns" in many.texts
    assert shown(qgen.Events(np.zeros((0, 1)))).tags.count("tr") == 1


def test_circuits_are_pictures() -> None:
    circuit = qgen.ansatz("brick", layers=2)(3)
    found = shown(circuit)
    assert "svg" in found.tags and "RZ(θ0)" in found.texts
    large = qgen.Circuit(1, (qgen.Gate("h", (0,)),) * 1001)
    assert "svg" not in shown(large).tags


def test_components_have_a_table_of_options() -> None:
    texts = shown(qgen.trainer("adam", steps=7)).texts
    assert texts[texts.index("steps") + 1] == "7"
    model = qgen.generator(
        "qcbm", ansatz="brick", backend="statevector", space=qgen.Space("bits", 3), seed=1
    )
    for thing in (model, model.backend, qgen.encoder("binning"), qgen.loss("js")):
        shown(thing)
    shown(qgen.ansatz("brick", layers=2))
    shown(qgen.Ising(h=[0.0, 0.0], J=[1.0], graph=[[0, 1]]))


def test_histories_end_with_their_last_steps() -> None:
    records: list[dict[str, Any]] = [{"step": step, "loss": 1 / (step + 1)} for step in range(9)]
    records[-1]["validation"] = 0.5
    found = shown(History(records))
    assert found.tags.count("tr") == 1 + 5
    assert found.texts[-3:] == ["8", "0.111111", "0.5"]


def test_what_has_a_short_repr_is_shown_by_notebooks() -> None:
    from qgen_core.circuits.circuit import Circuit
    from qgen_core.interfaces import Backend, Stateful
    from qgen_core.runs.trained import Figures, TrainedRun

    for each in (Backend, Circuit, Figures, History, Stateful, TrainedRun, qgen.Batch, qgen.Events):
        assert issubclass(each, ShownInNotebook), each


def test_notebooks_need_nothing_heavy() -> None:
    code = (
        "import sys, qgen_core as qgen, numpy as np; qgen.Events(np.zeros((1, 1)))._repr_html_();"
        "qgen.Circuit(1, (qgen.Gate('h', (0,)),))._repr_html_();"
        "print(*{'IPython', 'jinja2', 'numba', 'scipy', 'pandas', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
