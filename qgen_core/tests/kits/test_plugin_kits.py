"""``qgen test-plugin``: the kits of everything that a package offers, and known failures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import test_kits_functions
import test_mutants_backends
import test_mutants_encoders
import test_mutants_generators
import test_mutants_losses
import test_mutants_samplers
import test_mutants_trainers

import qgen_core as qgen
from qgen_core.cli import main
from qgen_core.discovery import registry
from qgen_core.errors import RecipeError, UnknownName
from qgen_core.losses.js import JensenShannon
from qgen_core.testing.plugin import Settings, components_of

HERE = "this process"


class Deaf(JensenShannon):
    """A loss whose derivatives are half of what they should be."""

    def __call__(self, output: Any, batch: Any) -> Any:
        value, cotangent = super().__call__(output, batch)
        return value, 0.5 * cotangent


@pytest.fixture(autouse=True)
def _offered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry, "_local", {})
    qgen.register("loss", "whole", JensenShannon)
    qgen.register("loss", "deaf", Deaf)
    yield


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["test-plugin", HERE, *words])
    return int(ended.value.code or 0)


def test_a_broken_component_ends_with_a_code_and_a_report(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run() == 4
    out = capsys.readouterr().out
    lines = {line.split()[1]: line for line in out.splitlines() if line.startswith("loss ")}
    assert "failed" not in lines["whole"]
    assert "loss deaf test_cotangent" in out
    assert run("--json") == 4
    outcomes = json.loads(capsys.readouterr().out)
    assert {one["component"] for one in outcomes if one["state"] == "failed"} == {"loss deaf"}


def test_known_failures_are_told_and_those_that_pass_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("--json")
    outcomes = json.loads(capsys.readouterr().out)
    failed = [f"{one['component']} {one['test']}" for one in outcomes if one["state"] == "failed"]
    file = tmp_path / "kits.toml"
    known = [f'"{key}" = "half a derivative"' for key in [*failed, "loss whole test_minimum"]]
    file.write_text("\n".join(["[loss.whole.kit]", "minimum = 0.0", "[known]", *known]))
    assert run("--settings", str(file)) == 0
    out = capsys.readouterr().out
    assert "known: half a derivative" in out
    assert "loss whole test_minimum is listed as a known failure and does not fail" in out


def test_wrong_settings_and_packages_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "kits.toml"
    for text, words in (
        ("[lose.mine]", "no kind of component"),
        ("loss = 3", "holds a table for each name"),
        ("[known]\na = 1", "KIND NAME TEST"),
        ("[", "cannot read"),
    ):
        file.write_text(text)
        with pytest.raises(RecipeError, match=words):
            Settings.read(file)
    file.write_text("[loss.whole.kit]\nminimal = 0.0")
    assert run("--settings", str(file)) == 2
    with pytest.raises(UnknownName, match="qgen-core"):
        components_of("qgen-nothing")


def test_the_mutants_are_a_hundred_and_of_all_kinds() -> None:
    """Each of them is found, as the tests of mutants show with the same runner."""
    modules = (
        test_mutants_backends,
        test_mutants_encoders,
        test_mutants_generators,
        test_mutants_losses,
        test_mutants_samplers,
        test_mutants_trainers,
    )
    numbers = [len(module.MUTANTS) for module in modules]
    numbers += [len(mutants) for _, mutants, _ in test_kits_functions.KITS]
    assert min(numbers) >= 5
    assert sum(numbers) >= 100
