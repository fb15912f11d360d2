"""The messages of the registry word by word, as docs and architecture show them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.discovery import registry
from qgen_core.errors import BadOption, BrokenPlugin, OutputMismatch, TwoOffers, UnknownName
from qgen_core.interfaces import Ansatz, Backend, Generator, Loss
from qgen_core.training.problem import check_match

BACKEND = """
import numpy as np
import qgen_core as qgen

class Part(qgen.Backend):
    def run(self, circuit, angles, measure, shots=None):
        return np.ones((len(angles), 1))
"""


class BornMachine(Generator):
    """A generator with the signature of the architecture's example."""

    outputs = frozenset({"samples"})

    def __init__(
        self,
        *,
        backend: Backend,
        space: qgen.Space,
        condition: qgen.Space | None = None,
        ansatz: Ansatz,
    ) -> None:
        self.backend, self.space, self.condition, self.ansatz = backend, space, condition, ansatz

    def sample(self, n: int, condition: Any = None, *, rng: Any) -> Any:
        return np.zeros((n, self.space.width))


class Divergence(Loss):
    reads = "probabilities"

    def __call__(self, output: Any, batch: Any) -> Any:
        return 0.0, np.zeros_like(output)


def installed(shelf: Any) -> None:
    """The environment of the architecture's first example: density, statevector and torch."""
    shelf.install(
        "qgen-core", BACKEND, "[qgen.backends]\nstatevector = qgen_a:Part\ndensity = qgen_a:Part\n"
    )
    shelf.install("qgen-torch", BACKEND, "[qgen.backends]\ntorch = qgen_torch:Part\n")
    for folder in shelf.folder.glob("qgen_fine*"):
        folder.rename(shelf.folder / f"away_{folder.name}.off")


def test_a_name_misspelt_of_a_package_not_installed(only_shelf: Any) -> None:
    installed(only_shelf)
    with pytest.raises(UnknownName) as caught:
        qgen.backend("lightnin")
    assert str(caught.value) == (
        "UnknownName: no backend 'lightnin'; installed: density, statevector, torch\n"
        "  did you mean 'lightning'?  `pip install qgen-pennylane` provides it"
    )
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    ("kind", "name", "rest"),
    [
        (
            "backend",
            "aer",
            "; installed: density, statevector, torch\n  `pip install qgen-qiskit` provides it",
        ),
        (
            "backend",
            "densty",
            "; installed: density, statevector, torch\n  did you mean 'density'?",
        ),
        ("backend", "xyzzy", "; installed: density, statevector, torch"),
        (
            "generator",
            "rbm-va",
            "; installed: none\n  did you mean 'rbm-vae'?  `pip install qgen-torch` provides it",
        ),
        ("executor", "dask", "; installed: none\n  `pip install qgen-dask` provides it"),
        ("metric", "anything", "; installed: none"),
    ],
)
def test_names_there_are_not(only_shelf: Any, kind: str, name: str, rest: str) -> None:
    installed(only_shelf)
    with pytest.raises(UnknownName) as caught:
        registry.build(kind, name)
    assert str(caught.value) == f"UnknownName: no {kind} {name!r}{rest}"


def test_a_known_name_that_the_core_lacks_gets_no_pip_line(only_shelf: Any) -> None:
    """What known.toml gives to qgen-core itself is never hinted at: it is installed already."""
    with pytest.raises(UnknownName) as caught:
        qgen.backend("densit")
    assert str(caught.value) == "UnknownName: no backend 'densit'; installed: fine"


def test_no_such_kind() -> None:
    for ask in (
        qgen.names,
        lambda kind: registry.build(kind, "x"),
        lambda kind: qgen.register(kind, "x", dict),
    ):
        with pytest.raises(UnknownName) as caught:
            ask("backends")
        assert str(caught.value) == (
            "UnknownName: no kind 'backends'; there are encoder, generator, sampler, loss, "
            "trainer, backend, noise, "
            "ansatz, dataset, metric, network, executor, study"
        )


def test_an_option_that_a_factory_does_not_take(fresh: None) -> None:
    qgen.register("generator", "qcbm", BornMachine)
    with pytest.raises(BadOption) as caught:
        qgen.generator("qcbm", layers=6)
    assert (
        str(caught.value)
        == "BadOption: generator 'qcbm' takes backend, space, condition, ansatz; not 'layers'"
    )
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("key", ["layers", "space", "condition"])
def test_what_the_run_gives_is_no_recipe_key(fresh: None, key: str) -> None:
    qgen.register("generator", "qcbm", BornMachine)
    with pytest.raises(BadOption) as caught:
        qgen.build("generator", {"name": "qcbm", key: 6})
    assert str(caught.value) == f"BadOption: generator 'qcbm' takes backend, ansatz; not {key!r}"


def test_an_option_that_is_missing(fresh: None) -> None:
    qgen.register("generator", "qcbm", BornMachine)
    with pytest.raises(BadOption) as caught:
        qgen.build("generator", "qcbm", {"space": qgen.Space("bits", 2)})
    assert str(caught.value) == "BadOption: generator 'qcbm' needs 'backend'"


def test_a_factory_without_options(fresh: None) -> None:
    qgen.register("loss", "bare", Divergence)
    with pytest.raises(BadOption) as caught:
        qgen.loss("bare", scale=2.0)
    assert str(caught.value) == "BadOption: loss 'bare' takes no options; not 'scale'"


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ({"bandwidth": 1.0}, "BadOption: a loss table needs a 'name', this one has bandwidth"),
        ({}, "BadOption: a loss table needs a 'name', this one has nothing"),
        ({"name": 3}, "BadOption: a loss table needs a 'name', this one has nothing"),
        (5, "BadOption: a loss is a name or a table with a name, not 5"),
        (None, "BadOption: a loss is a name or a table with a name, not None"),
    ],
)
def test_what_is_no_reference(ref: Any, message: str) -> None:
    with pytest.raises(BadOption) as caught:
        qgen.build("loss", ref)
    assert str(caught.value) == message


def test_a_loss_that_reads_what_the_generator_has_not(fresh: None) -> None:
    class Angles(BornMachine):
        def __init__(self) -> None:
            self.space = qgen.Space("reals", 2)

    qgen.register("loss", "js", Divergence)
    qgen.register("generator", "qag", Angles)
    with pytest.raises(OutputMismatch) as caught:
        check_match(qgen.generator("qag"), qgen.Events(np.zeros((3, 2))), qgen.loss("js"))
    assert str(caught.value) == (
        "OutputMismatch: loss 'js' reads probabilities; generator 'qag' offers samples; choose a "
        "loss that reads one of these"
    )
    assert caught.value.exit_code == 2


def test_two_offers_in_this_process(only_shelf: Any) -> None:
    for name in ("qgen-states", "qgen-ghz"):
        only_shelf.install(name, BACKEND, f"[qgen.backends]\nghz = {name.replace('-', '_')}:Part\n")
    with pytest.raises(TwoOffers) as caught:
        qgen.backend("ghz")
    assert str(caught.value) == (
        "TwoOffers: backend 'ghz' is offered by qgen-ghz and qgen-states; choose one by its "
        "package, e.g. 'qgen-ghz:ghz'"
    )
    assert type(qgen.backend("qgen-states:ghz")).__module__ == "qgen_states"
    qgen.register("backend", "ghz", type(qgen.backend("qgen-ghz:ghz")))
    assert type(qgen.backend("ghz")).__module__ == "qgen_ghz", "what is registered here settles it"


def test_a_broken_component_of_this_process(fresh: None) -> None:
    qgen.register("backend", "number", 3)  # type: ignore[arg-type]
    with pytest.raises(BrokenPlugin) as caught:
        qgen.backend("number")
    assert str(caught.value) == (
        "BrokenPlugin: backend 'number' comes from this process, which offers an object of "
        "type int where a factory is needed"
    )

    def fails() -> Backend:
        raise OSError("no such device")

    qgen.register("backend", "fails", fails)
    with pytest.raises(BrokenPlugin) as caught:
        qgen.backend("fails")
    assert str(caught.value) == (
        "BrokenPlugin: backend 'fails' comes from this process, and failed while it was "
        "built: OSError: no such device"
    )


def test_an_error_on_purpose_passes_as_it_is(fresh: None) -> None:
    def fails() -> Backend:
        raise BadOption("shots must be at least 1, not 0")

    qgen.register("backend", "fails", fails)
    with pytest.raises(BadOption) as caught:
        qgen.backend("fails")
    assert str(caught.value) == "BadOption: shots must be at least 1, not 0"


def test_a_long_value_is_cut_to_one_line(fresh: None) -> None:
    def scaled(*, factor: float = 1.0) -> Any:
        return Divergence()

    qgen.register("loss", "scaled", scaled)
    with pytest.raises(BadOption) as caught:
        qgen.loss("scaled", factor=np.arange(1000).reshape(10, 100))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200
