"""The messages of the registry word by word, as docs and architecture show them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.discovery import install_hints, registry
from qgen_core.discovery.install_hints import install_command, source_of
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


@pytest.fixture(autouse=True)
def _from_an_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages as if all of them came from a package index, wherever these tests run."""
    monkeypatch.setattr(install_hints, "_folder_of", lambda distribution: None)


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
            "UnknownName: no kind 'backends'; there are encoder, generator, couplings, sampler, "
            "loss, trainer, backend, noise, "
            "ansatz, dataset, metric, network, executor, study, tracker"
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


def test_a_name_of_several_kinds_and_of_none(only_shelf: Any) -> None:
    part = "class Part: ...\n"
    only_shelf.install(
        "qgen-part",
        part,
        "[qgen.losses]\nsame = qgen_part:Part\n[qgen.metrics]\nsame = qgen_part:P\n",
    )
    assert registry.kinds_of("same") == ["loss", "metric"]
    with pytest.raises(UnknownName, match=r"no component 'sane' of any kind(.|\n)*mean 'same'\?"):
        registry.kinds_of("sane")
    with pytest.raises(UnknownName, match="`qgen list backend` lists its names"):
        registry.kinds_of("backend")
    with pytest.raises(UnknownName, match="`pip install qgen-torch` provides generator 'inn'"):
        registry.kinds_of("inn")


SOURCE = '''
"""The module."""
raise SystemExit("imported")


class Plain(Base["x: 1"], key={"a": 1}):
    """A class
    on two lines, of ``x``.

    More.
    """

    def method(self):
        """A method."""


class Silent:
    def method(self):
        """Not this one."""


def function(
    wires: int,  # a comment: with a colon
    *,
    words: Literal["a:", "b"] = "a:",
) -> "Circuit":
    # before
    r"""A function."""
'''


def test_descriptions_are_read_without_an_import(only_shelf: Any) -> None:
    names = {"plain": "Plain", "silent": "Silent", "function": "function", "made": "factory"}
    lines = "".join(f"{name} = qgen_part:{where}\n" for name, where in names.items())
    only_shelf.install("qgen-part", SOURCE, f"[qgen.losses]\n{lines}gone = no_such_package.x:Y\n")
    found = {name: offers[0].summarise() for name, offers in registry.offers("loss").items()}
    assert found == {
        "plain": "A class on two lines, of x.",
        "silent": "The module.",
        "function": "A function.",
        "made": "The module.",
        "gone": "",
    }


def test_a_module_that_names_its_component_describes_it(only_shelf: Any) -> None:
    source = (
        '"""The loss ``named``: of one\nline.\n\nMore."""\n\nclass Part:\n    """A formula."""\n'
    )
    entries = "[qgen.losses]\nnamed = qgen_part:Part\nother = qgen_part:Part\n"
    only_shelf.install("qgen-part", source, entries)
    found = {name: offers[0].summarise() for name, offers in registry.offers("loss").items()}
    assert found == {"named": "of one line.", "other": "A formula."}


def test_packages_are_installed_from_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a clone beside the core, from the folder of the package, else from the index."""
    assert install_command("qgen-qiskit") == "pip install qgen-qiskit"
    assert install_command("qgen-core", extra="cma") == "pip install 'qgen-core[cma]'"
    assert source_of("qgen-dask") == "`pip install qgen-dask`"
    clone = tmp_path / "a clone"
    for folder in ("qgen_core", "plugins/qgen_qiskit", "elsewhere"):
        (clone / folder).mkdir(parents=True)
        (clone / folder / "pyproject.toml").touch()
    folders = {"qgen-core": clone / "qgen_core", "qgen-torch": clone / "elsewhere"}
    monkeypatch.setattr(install_hints, "_folder_of", folders.get)
    assert install_command("qgen-qiskit") == f"pip install '{clone}/plugins/qgen_qiskit'"
    assert install_command("qgen-core", extra="cma") == f"pip install '{clone}/qgen_core[cma]'"
    repair = install_command("qgen-torch", again=True)
    assert repair == f"pip install --force-reinstall '{clone}/elsewhere'"
    assert source_of("qgen-dask") == "qgen-dask, a package that this clone does not hold yet,"
    assert source_of("qgen-qiskit") == f"`pip install '{clone}/plugins/qgen_qiskit'`"


@pytest.mark.parametrize(
    ("record", "found"),
    [
        ('{"url": "file://FOLDER", "dir_info": {"editable": true}}', True),
        ('{"url": "file://FOLDER/gone", "dir_info": {}}', False),
        ('{"url": "https://example.org/x.whl"}', False),
        ("not JSON", False),
        (None, False),
    ],
)
def test_the_folder_that_a_package_was_installed_from(
    record: str | None, found: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # the real look-up
    folder = tmp_path / "with a space"
    info = tmp_path / "qgen_here-1.0.dist-info"
    info.mkdir()
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: qgen-here\nVersion: 1.0\n")
    if record is not None:
        url = record.replace("FOLDER", folder.as_uri().removeprefix("file://"))
        (info / "direct_url.json").write_text(url)
    monkeypatch.syspath_prepend(tmp_path)
    expected = "pip install qgen-here"
    if found:
        expected = f"pip install '{folder}'"
    assert install_command("qgen-here") == expected
