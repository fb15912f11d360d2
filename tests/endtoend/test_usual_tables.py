"""``qgen.fit`` with nothing but a generator's name: its usual tables train it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.discovery import registry


def with_usual_tables() -> list[str]:
    found = []
    for name in qgen.names("generator"):
        _, factory = registry.factory_of("generator", name)
        if getattr(factory, "usual", {}):
            found.append(name)
    return found


@pytest.mark.parametrize("name", with_usual_tables())
def test_the_usual_tables_of_a_generator_train_it(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    first = rng.normal(size=300)
    x = np.column_stack([50 + 5 * first, first + rng.normal(size=300)])
    run = qgen.fit(x, name, steps=2, run=tmp_path / "run", progress=False)
    assert len(run.history.records) == 2
    generated = run.sample(200)
    assert generated.x.shape == (200, 2)
    assert np.all(np.isfinite(generated.x))


def test_models_of_all_kinds_have_usual_tables() -> None:
    assert {"qcbm", "nade", "inn", "cfm", "qinn", "giqnn", "mlp-generator"} <= set(
        with_usual_tables()
    )
