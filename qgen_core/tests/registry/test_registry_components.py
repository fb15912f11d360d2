"""Options that take components, values supplied by a run, bound functions, register."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.discovery import registry
from qgen_core.discovery.registry import Deferred
from qgen_core.errors import BadOption, UnknownName
from qgen_core.interfaces import Ansatz, Backend, Encoder, Generator, Noise, Sampler

SPACE = qgen.Space("bits", 3)


class Plain(Backend):
    def __init__(self, *, precision: int = 64) -> None:
        self.precision = precision

    def run(self, circuit: Any, angles: Any, measure: Any, shots: Any = None) -> Any:
        return np.ones((len(angles), 2**circuit.num_wires))


class Wrapped(Plain):
    def __init__(self, *, backend: Backend, noise: Noise | None = None) -> None:
        self.backend, self.noise = backend, noise


class Draws(Sampler):
    def sample(self, ising: Any, n: int, *, rng: Any, initial: Any = None) -> Any:
        return np.ones((n, 1), dtype=np.int8), {}


class Shift(Encoder):
    def __init__(self, *, by: float = 0.0) -> None:
        self.by = by

    def encode(self, x: Any, condition: Any = None, *, rng: Any = None) -> Any:
        return x + self.by

    def decode(self, z: Any, condition: Any = None, *, rng: Any) -> Any:
        return z - self.by


class Chain(Shift):
    def __init__(self, *, steps: list[Encoder], last: tuple[Encoder, ...] | None = None) -> None:
        self.steps, self.last = steps, last


class Model(Generator):
    """Asks for everything that a run can give."""

    def __init__(
        self,
        *,
        space: qgen.Space,
        condition: qgen.Space | None = None,
        data: qgen.Events | None = None,
        seed: int = -1,
        backend: Backend | None = None,
        sampler: Sampler | None = None,
        ansatz: Ansatz = "flat",  # type: ignore[assignment]
    ) -> None:
        self.space, self.condition, self.data, self.seed = space, condition, data, seed
        self.backend, self.sampler, self.ansatz = backend, sampler, ansatz

    def sample(self, n: int, condition: Any = None, *, rng: Any) -> Any:
        return np.zeros((n, self.space.width))


def flat(wires: int, *, layers: int = 1, data: qgen.Events | None = None) -> qgen.Circuit:
    """An ansatz without inputs."""
    assert data is None or isinstance(data, qgen.Events)
    rotations = [
        qgen.Gate("ry", (w,), qgen.param(layer * wires + w))
        for layer in range(layers)
        for w in range(wires)
    ]
    return qgen.Circuit(wires, tuple(rotations))


def conditioned(wires: int, *, inputs: int = 0, layers: int = 1) -> qgen.Circuit:
    """An ansatz with inputs."""
    uploads = [qgen.Gate("rx", (i % wires,), qgen.given(i)) for i in range(inputs)]
    return qgen.Circuit(wires, (*uploads, *flat(wires, layers=layers).instructions))


def dephase(circuit: qgen.Circuit, measure: Any, *, strength: float) -> Any:
    return circuit, measure, strength


@pytest.fixture(autouse=True)
def _parts(fresh: None) -> None:
    parts: dict[tuple[str, str], Any] = {
        ("backend", "plain"): Plain,
        ("backend", "wrapped"): Wrapped,
        ("sampler", "draws"): Draws,
        ("encoder", "shift"): Shift,
        ("encoder", "chain"): Chain,
        ("generator", "model"): Model,
        ("ansatz", "flat"): flat,
        ("ansatz", "conditioned"): conditioned,
        ("noise", "dephase"): dephase,
    }
    for (kind, name), part in parts.items():
        qgen.register(kind, name, part)


def model(table: dict[str, Any] | None = None, **given: Any) -> Model:
    """A model from a recipe table, with what a run gives."""
    built = qgen.build("generator", {"name": "model", **(table or {})}, {"space": SPACE, **given})
    assert isinstance(built, Model)
    return built


def test_a_component_by_name_by_table_and_as_the_object_itself() -> None:
    by_name = model({"backend": "plain"})
    assert isinstance(by_name.backend, Plain)
    assert by_name.backend.precision == 64
    by_table = model({"backend": {"name": "plain", "precision": 32}})
    assert isinstance(by_table.backend, Plain)
    assert by_table.backend.precision == 32
    backend = Plain()
    assert qgen.build("generator", "model", space=SPACE, backend=backend).backend is backend


def test_tables_nest() -> None:
    table = {
        "name": "wrapped",
        "backend": {"name": "plain", "precision": 8},
        "noise": {"name": "dephase", "strength": 0.1},
    }
    built = qgen.build("backend", table)
    assert built.backend.precision == 8
    assert built.noise(qgen.Circuit(1, ()), None) == (qgen.Circuit(1, ()), None, 0.1)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            {"backend": {"name": "plain", "bits": 3}},
            "BadOption: backend 'plain' takes precision; not 'bits'",
        ),
        (
            {"backend": {"precision": 3}},
            "BadOption: a backend table needs a 'name', this one has precision",
        ),
        (
            {"backend": {"name": "plain", "precision": "8"}},
            "BadOption: backend 'plain' option 'precision' is a whole number, not '8'",
        ),
        (
            {"backend": 5},
            "BadOption: generator 'model' option 'backend' is a backend: its name, a table with "
            "its name, or the object, not 5",
        ),
        (
            {"ansatz": 5},
            "BadOption: generator 'model' option 'ansatz' is an ansatz: its name, a table with its "
            "name, or the object, not 5",
        ),
    ],
)
def test_nested_components_that_are_wrong(table: dict[str, Any], message: str) -> None:
    with pytest.raises(BadOption) as caught:
        model(table)
    assert str(caught.value) == message


def test_an_object_of_another_kind_is_refused() -> None:
    with pytest.raises(BadOption, match="option 'backend' is a backend: its name, a table"):
        qgen.build("generator", "model", space=SPACE, backend=Draws())


def test_an_unknown_nested_name() -> None:
    with pytest.raises(UnknownName, match="no sampler 'gibbs-on-the-moon'; installed: "):
        model({"sampler": "gibbs-on-the-moon"})


def test_several_components_make_a_chain() -> None:
    built = qgen.build(
        "encoder",
        {
            "name": "chain",
            "steps": ["shift", {"name": "shift", "by": 2.0}],
            "last": [{"name": "shift"}],
        },
    )
    assert [step.by for step in built.steps] == [0.0, 2.0]
    assert isinstance(built.last, tuple)
    assert built.last[0].by == 0.0
    made = Shift(by=5.0)
    assert qgen.encoder("chain", steps=[made, "shift"]).steps[0] is made
    assert qgen.encoder("chain", steps=[]).last is None


@pytest.mark.parametrize("steps", ["shift", [3], 3, {"name": "shift"}])
def test_what_is_no_chain(steps: Any) -> None:
    with pytest.raises(BadOption, match="encoder 'chain' option 'steps'"):
        qgen.build("encoder", {"name": "chain", "steps": steps})


def test_an_optional_component_may_stay_away() -> None:
    built = model()
    assert built.backend is None
    assert built.sampler is None
    assert qgen.build("backend", {"name": "wrapped", "backend": "plain"}).noise is None


def test_a_default_that_names_a_component_is_built() -> None:
    assert isinstance(model().ansatz, registry.BoundFunction)
    assert model().ansatz(3) == flat(3)


def test_backend_and_sampler_of_the_run_reach_those_who_ask_unless_they_name_another() -> None:
    backend, sampler = Plain(), Draws()
    built = model(backend=backend, sampler=sampler)
    assert built.backend is backend
    assert built.sampler is sampler
    assert isinstance(built.ansatz, registry.BoundFunction), "an ansatz asks for neither"
    assert model({"backend": "plain"}, backend=backend).backend is not backend
    nested = model({"backend": {"name": "wrapped"}}, backend=backend).backend
    assert isinstance(nested, Wrapped)
    assert nested.backend is backend, "also inside a table"


def test_what_the_run_gives_arrives() -> None:
    data, condition = qgen.Events(np.zeros((4, 3))), qgen.Space("angles", 1)
    built = model(condition=condition, data=data, seed=11, edges=None)
    assert built.space is SPACE
    assert built.condition is condition
    assert built.data is data
    assert built.seed == 11


def test_deferred_values_are_computed_only_for_those_who_ask() -> None:
    calls: list[str] = []

    def compute(name: str, value: Any) -> Deferred:
        return Deferred(lambda: calls.append(name) or value)

    data = qgen.Events(np.zeros((2, 3)))
    given = {"space": SPACE, "data": compute("data", data), "backend": compute("backend", Plain())}
    qgen.build("encoder", "shift", given)
    assert calls == []
    qgen.build("backend", "wrapped", given)
    assert calls == ["backend"]
    built = qgen.build("generator", {"name": "model", "backend": "plain"}, given)
    assert calls == ["backend", "data", "data"], (
        "the model and its ansatz ask for data; the backend has another"
    )
    assert built.data is data


def test_the_run_gives_its_seed_as_a_whole_number() -> None:
    with pytest.raises(BadOption, match="option 'seed' is a whole number, not '3'"):
        model(seed="3")


def test_a_bound_ansatz_takes_the_rest_at_the_call() -> None:
    ansatz = qgen.ansatz("flat", layers=2)
    assert ansatz(3) == flat(3, layers=2)
    assert ansatz(3, registers=(2, 1)) == flat(3, layers=2), (
        "what it does not ask for is not handed over"
    )
    assert ansatz.__qgen_name__ == "flat"
    assert qgen.ansatz("conditioned")(2, inputs=3) == conditioned(2, inputs=3)
    assert ansatz(3, inputs=0) == flat(3, layers=2)


def test_an_ansatz_without_inputs_cannot_be_conditioned() -> None:
    with pytest.raises(BadOption) as caught:
        qgen.ansatz("flat", layers=2)(3, inputs=2)
    assert (
        str(caught.value) == "BadOption: ansatz 'flat' takes no inputs, so it cannot be conditioned"
    )


def test_arguments_of_the_call_are_no_recipe_keys() -> None:
    for key in ("wires", "data"):
        with pytest.raises(BadOption) as caught:
            qgen.build("ansatz", {"name": "flat", key: 3})
        assert str(caught.value) == f"BadOption: ansatz 'flat' takes layers; not {key!r}"
    with pytest.raises(BadOption) as caught:
        qgen.noise("dephase")
    assert str(caught.value) == "BadOption: noise 'dephase' needs 'strength'"


def test_an_ansatz_that_learns_from_data_gets_them_from_the_run() -> None:
    data = qgen.Events(np.zeros((2, 3)))
    bound = qgen.build("ansatz", "flat", {"data": data})
    assert bound.options["data"] is data
    assert bound(2) == flat(2)


def test_components_know_their_names() -> None:
    assert qgen.backend("plain").__qgen_name__ == "plain"  # type: ignore[attr-defined]
    assert qgen.noise("dephase", strength=0.5).__qgen_name__ == "dephase"  # type: ignore[union-attr]


def test_register_wins_over_installed_ones_and_names_list_it(only_shelf: Any) -> None:
    assert qgen.names("backend") == ["fine", "plain", "wrapped"]
    assert type(qgen.backend("fine")).__name__ == "FineBackend"
    qgen.register("backend", "fine", Plain)
    qgen.register("backend", "another", Plain)
    assert qgen.names("backend") == ["another", "fine", "plain", "wrapped"]
    assert isinstance(qgen.backend("fine"), Plain)


def test_names_read_metadata_only(only_shelf: Any) -> None:
    only_shelf.install(
        "qgen-loud", "raise SystemExit('imported')\n", "[qgen.metrics]\nloud = qgen_loud:measure\n"
    )
    assert qgen.names("metric") == ["loud"]
    assert qgen.names("generator") == ["fine", "model"]


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (None, ["fine", "other", "third"]),
        ("qgen-fine,qgen-other", ["fine", "other"]),
        (" QGEN_Other ,", ["other"]),
        ("", []),
        ("qgen-absent", []),
    ],
)
def test_qgen_plugins_limits_what_is_discovered(
    only_shelf: Any, monkeypatch: pytest.MonkeyPatch, limit: str | None, expected: list[str]
) -> None:
    for name in ("other", "third"):
        only_shelf.install(f"qgen-{name}", "", f"[qgen.studies]\n{name} = qgen_{name}:run\n")
    (only_shelf.folder / "qgen_fine-0.1.0.dist-info" / "entry_points.txt").write_text(
        "[qgen.studies]\nfine = qgen_fine:run\n"
    )
    if limit is None:
        monkeypatch.delenv("QGEN_PLUGINS", raising=False)
    else:
        monkeypatch.setenv("QGEN_PLUGINS", limit)
    assert qgen.names("study") == expected


def test_qgen_plugins_never_shuts_out_the_core(shelf: Any) -> None:
    answer, _ = shelf.ask(["backend"], [("backend", "fine")], QGEN_PLUGINS="")
    assert "statevector" in answer["names"]["backend"]
    assert "fine" not in answer["names"]["backend"]
    assert answer["built"]["fine"]["error"].startswith(
        "UnknownName: no backend 'fine'; installed: "
    )


def test_one_package_twice_on_the_path_is_one_offer(shelf: Any, tmp_path: Any) -> None:
    import os
    import shutil

    twin = tmp_path / "twin"
    shutil.copytree(shelf.folder, twin)
    answer, _ = shelf.ask(
        ["backend"], [("backend", "fine")], PYTHONPATH=f"{shelf.folder}{os.pathsep}{twin}"
    )
    assert answer["built"]["fine"] == {"type": "qgen_fine.FineBackend"}
