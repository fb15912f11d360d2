"""Objects print on one short line, and components are given by name where objects are expected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.errors import BadOption, UnknownName
from qgen_core.interfaces import History, Model
from qgen_core.runs.recipes import Recipe
from qgen_core.runs.run import Run, train
from qgen_core.testing.quadratic import Quadratic, events

LONGEST = 200


def model() -> Any:
    space = qgen.Space("bits", 3)
    return qgen.generator("qcbm", ansatz="brick", backend="statevector", space=space, seed=1)


def objects() -> dict[str, tuple[object, str]]:
    """Objects by name, with what their text must say."""
    energy = qgen.Ising(h=np.zeros(40), J=[1.0], graph=[[0, 1]])
    many = qgen.Events(np.zeros((5, 300)), units=("GeV",) * 300)
    encoder = qgen.encoder("log", columns=[0], offset=0.5)
    trained = History([{"step": 0, "loss": 0.5}] * 1000, stopped="all 1000 steps done")
    chain = qgen.encoder("chain", encoders=["log", "min-max"])
    return {
        "model": (model(), "CircuitBornMachine(backend=StatevectorBackend()"),
        "trained model": (Model(model(), encoder), "encoder=LogEncoder("),
        "encoder": (encoder, "LogEncoder(offset=0.5, columns=[0])"),
        "chain": (chain, "ChainEncoder(encoders=[LogEncoder(), MinMaxEncoder()])"),
        "backend": (qgen.backend("statevector"), "StatevectorBackend("),
        "wrapped": (qgen.backend("zero-noise", backend="density"), "DensityBackend("),
        "loss": (qgen.loss("js"), "JensenShannon("),
        "trainer": (qgen.trainer("adam", steps=7), "Adam(steps=7)"),
        "history": (trained, "History(1000 steps, last loss 0.5, 'all 1000 steps done')"),
        "circuit": (model().circuit, "Circuit(3 wires, "),
        "events": (many, "Events(5 of 300 columns, x0 [GeV] to x299 [GeV])"),
        "jets": (
            qgen.Events(np.zeros((2, 2)), columns=("pt", "n"), units=("GeV", "1")),
            "Events(2 of pt [GeV], n)",
        ),
        "batch": (
            qgen.Batch(target=np.zeros((2, 4)), step=3, total=9),
            "Batch(target (2, 4), step",
        ),
        "energy": (energy, "Ising(Graph(40 spins, 1 edges), h (40,))"),
    }


@pytest.mark.parametrize("name", list(objects()))
def test_texts_are_short_and_say_what_it_is(name: str) -> None:
    thing, said = objects()[name]
    text = repr(thing)
    assert said in text
    assert len(text) <= LONGEST and "\n" not in text and " at 0x" not in text


@pytest.mark.parametrize("kind", ["encoder", "loss", "trainer", "backend"])
def test_all_components_have_short_texts(kind: str) -> None:
    for name in qgen.names(kind):
        try:
            component = qgen.build(kind, name)
        except (BadOption, qgen.QgenError):
            continue  # needs options or a package
        text = repr(component)
        assert len(text) <= LONGEST and " at 0x" not in text, name


def test_a_run_names_its_folder_and_model(tmp_path: Path) -> None:
    qgen.register("dataset", "few", lambda: qgen.Events(np.arange(40.0)[:, None], columns=("x",)))
    tables = {
        "dataset": "few",
        "encoder": {"name": "binning", "bits": 2},
        "generator": {"name": "qcbm", "ansatz": "brick"},
        "loss": "js",
        "trainer": {"name": "adam", "steps": 1},
    }
    train(Recipe.from_dict(tables), tmp_path / "run")
    assert repr(Run(tmp_path / "run")) == f"Run({str(tmp_path / 'run')!r}, qcbm on few)"


def test_fit_takes_the_name_of_a_loss() -> None:
    trainer = qgen.trainer("adam", steps=5)
    histories = []
    for loss in ("mean", {"name": "mean"}, qgen.loss("mean")):
        histories.append(trainer.fit(Quadratic(), events(), loss, seed=1).losses.tolist())
    assert histories[0] == histories[1] == histories[2]
    with pytest.raises(UnknownName, match="no loss 'meen'(.|\n)*did you mean 'mean'"):
        trainer.fit(Quadratic(), events(), "meen", seed=1)
