"""Options are typed by the factory's annotations; nothing is turned into a number in silence."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

import qgen_core as qgen
from qgen_core.errors import BadOption
from qgen_core.interfaces import Loss


class Typed(Loss):
    """Keeps its options, one of each type that factories use."""

    reads = "samples"

    def __init__(
        self,
        *,
        count: int = 1,
        rate: float = 0.5,
        flag: bool = False,
        text: str = "x",
        choice: Literal["mean", "sum"] = "mean",
        maybe: int | None = None,
        either: int | str = 0,
        several: list[float] | None = None,
        pair: tuple[float, float] = (0.0, 1.0),
        any_number: tuple[int, ...] = (),
        by_name: dict[str, float] | None = None,
        array: NDArray[np.float64] | None = None,
        anything: Any = None,
    ) -> None:
        self.options = {key: value for key, value in locals().items() if key != "self"}

    def __call__(self, output: Any, batch: Any) -> Any:
        return 0.0, np.zeros_like(output)


@pytest.fixture(autouse=True)
def _typed(fresh: None) -> None:
    qgen.register("loss", "typed", Typed)


def given(key: str, value: Any) -> Any:
    """The option as the factory gets it from a recipe table."""
    loss = qgen.build("loss", {"name": "typed", key: value})
    return loss.options[key]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("count", 3, 3),
        ("count", np.int64(3), 3),
        ("count", 3.0, 3),
        ("rate", 1, 1.0),
        ("rate", 1e-3, 1e-3),
        ("rate", np.float32(0.25), 0.25),
        ("flag", True, True),
        ("flag", np.bool_(True), True),
        ("text", "3", "3"),
        ("choice", "sum", "sum"),
        ("maybe", None, None),
        ("maybe", 2, 2),
        ("either", "3", "3"),
        ("either", 3, 3),
        ("several", [1, 2.5], [1.0, 2.5]),
        ("several", (1, 2), [1.0, 2.0]),
        ("pair", [250, 600], (250.0, 600.0)),
        ("any_number", [4, 4], (4, 4)),
        ("by_name", {"pt": 1}, {"pt": 1.0}),
        ("anything", True, True),
        ("anything", "3", "3"),
    ],
)
def test_values_of_the_right_type(key: str, value: Any, expected: Any) -> None:
    found = given(key, value)
    assert found == expected
    assert type(found) is type(expected)


def test_an_array_stays_the_same_object() -> None:
    array = np.linspace(0, 1, 5)
    assert given("array", array) is array


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("count", True, "option 'count' is a whole number, not True"),
        ("count", "3", "option 'count' is a whole number, not '3'"),
        ("count", "three", "option 'count' is a whole number, not 'three'"),
        ("count", 2.5, "option 'count' is a whole number, not 2.5"),
        ("count", None, "option 'count' is a whole number, not None"),
        ("count", [1], "option 'count' is a whole number, not [1]"),
        ("rate", True, "option 'rate' is a finite number, not True"),
        ("rate", "1e-3", "option 'rate' is a finite number, not '1e-3'"),
        ("rate", math.nan, "option 'rate' is a finite number, not nan"),
        ("rate", math.inf, "option 'rate' is a finite number, not inf"),
        ("flag", 1, "option 'flag' is true or false, not 1"),
        ("flag", 0.0, "option 'flag' is true or false, not 0.0"),
        ("flag", "yes", "option 'flag' is true or false, not 'yes'"),
        ("text", 3, "option 'text' is text, not 3"),
        ("choice", "max", "option 'choice' is 'mean' or 'sum', not 'max'"),
        ("maybe", "2", "option 'maybe' is a whole number, not '2'"),
        ("either", True, "option 'either' is a whole number or text, not True"),
        ("several", "12", "option 'several' is a list of finite numbers, not '12'"),
        ("several", ["1", 2], "option 'several' is a list of finite numbers, not ['1', 2]"),
        ("several", [1.0, True], "option 'several' is a list of finite numbers, not [1.0, True]"),
        (
            "several",
            [1.0, math.nan],
            "option 'several' is a list of finite numbers, not [1.0, nan]",
        ),
        ("pair", [1.0], "option 'pair' is a list of 2 finite numbers, not [1.0]"),
        (
            "pair",
            [1.0, 2.0, 3.0],
            "option 'pair' is a list of 2 finite numbers, not [1.0, 2.0, 3.0]",
        ),
        (
            "pair",
            [1.0, math.inf],
            "option 'pair' is a list of 2 finite numbers, not [1.0, inf]; "
            "the entry inf does not fit",
        ),
        ("any_number", [4, "4"], "option 'any_number' is a list of whole numbers, not [4, '4']"),
        ("by_name", {"pt": "1"}, "option 'by_name' is a table of finite numbers, not {'pt': '1'}"),
        ("array", [1.0], "option 'array' is ndarray, not [1.0]"),
    ],
)
def test_values_of_the_wrong_type(key: str, value: Any, message: str) -> None:
    for build in (lambda: given(key, value), lambda: qgen.loss("typed", **{key: value})):
        with pytest.raises(BadOption) as caught:
            build()
        assert str(caught.value).startswith(f"BadOption: loss 'typed' {message}")
        assert "\n" not in str(caught.value)
        assert "Input should" not in str(caught.value), "the words of qgen, not of pydantic"


def test_defaults_are_the_factorys_own() -> None:
    assert qgen.loss("typed").options == Typed().options


def test_describe_lists_options_types_and_defaults() -> None:
    found = qgen.describe("loss", "typed")
    assert (found.kind, found.name, found.distribution, found.version) == (
        "loss",
        "typed",
        "this process",
        "",
    )
    assert found.doc == "Keeps its options, one of each type that factories use."
    listed = {
        option.name: (option.type, option.default, option.required) for option in found.options
    }
    assert listed["count"] == ("int", 1, False)
    assert listed["rate"] == ("float", 0.5, False)
    assert listed["choice"] == ("Literal['mean', 'sum']", "mean", False)
    assert listed["maybe"] == ("int | None", None, False)
    assert listed["pair"] == ("tuple[float, float]", (0.0, 1.0), False)
    assert listed["anything"] == ("any", None, False)
    assert [option.name for option in found.options] == list(Typed().options)


def test_describe_a_component_of_a_package(only_shelf: Any) -> None:
    source = (
        "import numpy as np\nimport qgen_core as qgen\n\n\nclass Part(qgen.Loss):\n"
        '    """Says what it does."""\n\n    reads = "samples"\n\n'
        "    def __init__(self, *, backend: qgen.Backend, space: qgen.Space, seed: int, "
        "steps: int, rate: float = 0.1)"
        " -> None: ...\n    def __call__(self, output, batch): return 0.0, output\n"
    )
    only_shelf.install(
        "qgen-part", source, "[qgen.losses]\npart = qgen_part:Part\n", version="1.2.3"
    )
    found = qgen.describe("loss", "part")
    assert (found.distribution, found.version, found.doc) == (
        "qgen-part",
        "1.2.3",
        "Says what it does.",
    )
    assert [(o.name, o.type, o.default, o.required) for o in found.options] == [
        ("backend", "backend (name or table)", None, True),
        ("steps", "int", None, True),
        ("rate", "float", 0.1, False),
    ], "space and seed come from the run, they are no options"
