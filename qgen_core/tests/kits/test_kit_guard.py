"""The tests of a kit cannot be replaced without a reason; pytest shows its messages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qgen_core.encoders.standard import StandardEncoder
from qgen_core.testing import BackendKit, EncoderKit, overrides

HERE = Path(__file__).parent
#: A third party's test file: a model, and a class that inherits the kit.
FILE = """
import kits_generators
import pytest
from qgen_core.testing import GeneratorKit, overrides

class TestMine(GeneratorKit):
    def make(self):
        return kits_generators.{model}()
{more}
"""


def standard(kit: EncoderKit) -> StandardEncoder:
    return StandardEncoder()


def test_a_silent_override_is_refused() -> None:
    with pytest.raises(
        TypeError,
        match=r"TestMine overrides test_fit of EncoderKit without a reason.*@overrides\(\"reason",
    ):
        type("TestMine", (EncoderKit,), {"make": standard, "test_fit": lambda self: None})


def test_a_test_set_to_none_is_refused() -> None:
    with pytest.raises(TypeError, match="overrides test_log_det of EncoderKit without a reason"):
        type("TestMine", (EncoderKit,), {"make": standard, "test_log_det": None})


def test_an_override_in_a_mixin_is_refused() -> None:
    mixin = type("Mixin", (), {"test_state": lambda self: None})
    with pytest.raises(
        TypeError, match="Mixin overrides test_state of EncoderKit without a reason"
    ):
        type("TestMine", (mixin, EncoderKit), {"make": standard})


def test_an_override_further_up_is_refused() -> None:
    """A replacement of a test that a part of a kit defines, by a class between."""
    with pytest.raises(TypeError, match="overrides test_wire_order of BackendKit without a reason"):
        type("TestMine", (BackendKit,), {"test_wire_order": lambda self: None})


def test_an_explained_override_is_taken() -> None:
    @overrides("the encoder has no density that could be compared")
    def test_log_det(self: Any) -> None:
        return None

    mine = type("TestMine", (EncoderKit,), {"make": standard, "test_log_det": test_log_det})
    heirs = type("TestHeir", (mine,), {"round_trip": 1})
    assert heirs().test_log_det() is None  # type: ignore[attr-defined]


def test_tests_of_ones_own_are_free() -> None:
    mine = type("TestMine", (EncoderKit,), {"make": standard, "test_more": lambda self: "more"})
    assert mine().test_more() == "more"  # type: ignore[attr-defined]


@pytest.mark.parametrize("reason", ["", "  "])
def test_an_override_needs_a_reason(reason: str) -> None:
    with pytest.raises(ValueError, match="needs a reason"):
        overrides(reason)


def run_pytest(folder: Path, model: str, more: str = "", *flags: str) -> tuple[int, str]:
    """Exit code and words of pytest on a third party's test file."""
    (folder / "test_mine.py").write_text(FILE.format(model=model, more=more), encoding="utf-8")
    path = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [
            sys.executable,
            *flags,
            "-m",
            "pytest",
            "-q",
            "-rs",
            "-p",
            "no:cacheprovider",
            "test_mine.py",
        ],
        env={**os.environ, "PYTHONPATH": path},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_pytest_passes_a_correct_model_and_says_what_was_skipped(tmp_path: Path) -> None:
    more = """
    @overrides("no density here")
    def test_log_prob(self):
        pytest.skip("said why")
"""
    code, words = run_pytest(tmp_path, "SamplesOnly", more)
    assert code == 0, words
    assert "the model takes no condition" in words
    assert "said why" in words


def test_pytest_fails_a_broken_model_also_without_assertions(tmp_path: Path) -> None:
    code, words = run_pytest(tmp_path, "WrongSign", "", "-O")
    assert code == 1, words
    assert "1 failed" in words and "the gradient of log_prob by 'theta' along" in words


def test_pytest_refuses_to_collect_a_silent_override(tmp_path: Path) -> None:
    code, words = run_pytest(
        tmp_path, "WrongSign", "\n    def test_gradients(self):\n        pass\n"
    )
    assert code == 2, words
    assert "TestMine overrides test_gradients of" in words and "without a reason" in words
