"""``inn``: a map that can be inverted, whose density is exact, in physical units too."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import qgen_core as qgen
from qgen_core.errors import BadOption, BrokenPlugin, Interrupted
from qgen_core.interfaces import Model
from qgen_core.testing import GeneratorKit
from qgen_core.typing import Array
from qgen_torch.flows.coupling import ActNorm, Affine, CouplingFlow, Perceptrons, Splines
from qgen_torch.flows.inn import InvertibleNetwork
from qgen_torch.flows.spline import RationalQuadraticSpline

NLL = {"name": "nll", "reads": "log_prob"}
#: The options of flows that differ in their parts.
KINDS: dict[str, dict[str, Any]] = {
    "spline": {},
    "affine": {"univariate": "affine", "mixing": "none"},
    "rotation": {"mixing": "rotation", "act_norm": True},
}


def network(**options: Any) -> InvertibleNetwork:
    """A small flow in double precision whose parameters are not the first ones."""
    settings: dict[str, Any] = {
        "space": qgen.Space("reals", 3),
        "blocks": 2,
        "bins": 3,
        "bound": 3.0,
        "widths": (4,),
        "activation": "tanh",
        "precision": "double",
        "seed": 3,
    }
    return moved(InvertibleNetwork(**{**settings, **options}))


def moved(model: InvertibleNetwork) -> InvertibleNetwork:
    rng = np.random.default_rng(8)
    for value in model.parameters().values():
        value += (0.3 * rng.normal(size=value.shape)).astype(value.dtype)
    return model


class TestSplines(GeneratorKit):
    """Among others: gradients against differences, and that samples follow the density."""

    draws = 6000

    def make(self) -> qgen.Generator:
        return network(condition=qgen.Space("reals", 2))


class TestAffine(GeneratorKit):
    precision = "single"
    draws = 6000

    def make(self) -> qgen.Generator:
        return network(univariate="affine", mixing="rotation", precision="single")


class TestOneColumn(GeneratorKit):
    draws = 6000

    def make(self) -> qgen.Generator:
        return network(space=qgen.Space("reals", 1), condition=qgen.Space("reals", 1))


def flow_of(precision: torch.dtype, **options: Any) -> CouplingFlow:
    torch.manual_seed(4)
    functions = {"spline": Splines(8, 3.0), "affine": Affine()}
    options = {**options, "univariate": functions[options.get("univariate", "spline")]}
    flow = CouplingFlow(6, 2, blocks=4, conditioners=Perceptrons((16,)), **options)
    with torch.no_grad():
        for value in flow.parameters():
            value += 0.05 * torch.randn_like(value)
    return flow.to(precision)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("precision", "error"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_data_of_latents_of_data_are_the_data(
    kind: str, precision: torch.dtype, error: float
) -> None:
    with torch.no_grad(), torch.random.fork_rng():
        flow = flow_of(precision, **KINDS[kind])
        x = 2 * torch.randn(500, 6, dtype=precision)  # a part of it is outside the splines
        condition = torch.randn(500, 2, dtype=precision)
        z, _ = flow.to_latent(x, condition)
        assert (z - x).abs().max() > 0.3
        assert (flow.to_data(z, condition) - x).abs().max() < error


@pytest.mark.parametrize("kind", KINDS)
def test_the_determinant_is_that_of_the_jacobian(kind: str) -> None:
    with torch.random.fork_rng():
        flow = flow_of(torch.float64, **KINDS[kind])
        x = 2 * torch.randn(5, 6, dtype=torch.float64)
        condition = torch.randn(5, 2, dtype=torch.float64)
    _, log_det = flow.to_latent(x, condition)
    for row in range(5):
        given = condition[row : row + 1]

        def latents(event: torch.Tensor, given: torch.Tensor = given) -> torch.Tensor:
            return flow.to_latent(event[None], given)[0][0]

        jacobian = torch.autograd.functional.jacobian(latents, x[row])
        assert torch.linalg.slogdet(jacobian)[1].item() == pytest.approx(
            log_det[row].item(), abs=1e-9
        )


@pytest.mark.parametrize("univariate", ["spline", "affine"])
@pytest.mark.parametrize("width", [1, 4])
def test_a_flow_starts_as_the_identity(univariate: Any, width: int) -> None:
    model = InvertibleNetwork(
        space=qgen.Space("reals", width), univariate=univariate, precision="double", seed=1
    )
    x = torch.linspace(-7, 7, 40 * width, dtype=torch.float64).reshape(40, width)
    z, log_det = model.flow.to_latent(x, None)
    torch.testing.assert_close(z, x, rtol=0, atol=1e-12)
    torch.testing.assert_close(log_det, torch.zeros(40).double(), rtol=0, atol=1e-12)


def test_a_spline_against_its_formula() -> None:
    """One bin of knots that can be computed by hand, and its neighbours."""
    shares = np.array([0.2, 0.5, 0.3])
    rising = np.array([0.4, 0.4, 0.2])
    slopes = np.array([1.0, 2.0, 0.5, 1.0])
    least = 1e-3
    number = [np.log((values - least) / (1 - 3 * least)) for values in (shares, rising)]
    knots = np.log(np.expm1(slopes[1:3] - least)) - np.log(np.expm1(1 - least))
    spline = RationalQuadraticSpline(*map(torch.tensor, [*number, knots]), bound=1.0)
    x = np.linspace(-0.999, 0.999, 400)
    lefts = -1 + 2 * np.array([0, 0.2, 0.7])
    bottoms = -1 + 2 * np.array([0, 0.4, 0.8])
    bins = np.searchsorted(lefts, x, side="right") - 1
    width, height = 2 * shares[bins], 2 * rising[bins]
    xi = (x - lefts[bins]) / width
    s, d0, d1 = height / width, slopes[bins], slopes[bins + 1]
    below = s + (d1 + d0 - 2 * s) * xi * (1 - xi)
    y = bottoms[bins] + height * (s * xi**2 + d0 * xi * (1 - xi)) / below
    slope = s**2 * (d1 * xi**2 + 2 * s * xi * (1 - xi) + d0 * (1 - xi) ** 2) / below**2
    found, log_slope = spline.call_and_ladj(torch.tensor(x))
    np.testing.assert_allclose(found, y, atol=1e-12)
    np.testing.assert_allclose(log_slope, np.log(slope), atol=1e-12)
    np.testing.assert_allclose(spline.inv(found), x, atol=1e-12)


def test_a_column_outside_a_spline_leaves_the_others_alone() -> None:
    rng = np.random.default_rng(2)
    numbers = [torch.tensor(rng.normal(size=(4, size))) for size in (5, 5, 4)]
    spline = RationalQuadraticSpline(*numbers, bound=2.0)
    inside = torch.tensor(rng.uniform(-1.9, 1.9, size=4))
    mixed = inside.clone()
    mixed[[0, 2]] = torch.tensor([2.5, -40.0], dtype=torch.float64)
    y, log_slope = spline.call_and_ladj(mixed)
    expected, of_inside = spline.call_and_ladj(inside)
    assert y[[0, 2]].tolist() == [2.5, -40.0]
    assert log_slope[[0, 2]].tolist() == [0.0, 0.0]
    assert torch.equal(y[[1, 3]], expected[[1, 3]])
    assert torch.equal(log_slope[[1, 3]], of_inside[[1, 3]])
    assert not torch.equal(y[[1, 3]], mixed[[1, 3]])


def test_a_column_of_one_value_is_not_divided_by_rounding() -> None:
    values = torch.linspace(-2.0, 2.0, 7, dtype=torch.float64)
    x = torch.stack([torch.full_like(values, 91.1876), values], dim=1)
    norm = ActNorm(2).double()
    norm.fit(x)
    _, log_det = norm.to_latent(x)
    assert float(log_det.detach()) == pytest.approx(-float(values.std(correction=0).log()))


def test_steep_splines_are_finite_in_single_precision() -> None:
    rng = np.random.default_rng(3)
    numbers = [torch.tensor(30 * rng.normal(size=(5000, size))).float() for size in (8, 8, 7)]
    spline = RationalQuadraticSpline(*numbers, bound=5.0)
    x = torch.tensor(rng.uniform(-5, 5, size=5000)).float()
    y, log_slope = spline.call_and_ladj(x)
    for found in (y, log_slope, spline.inv(x)):
        assert bool(torch.isfinite(found).all())


@pytest.mark.parametrize("kind", KINDS)
def test_the_density_integrates_to_one(kind: str) -> None:
    model = network(space=qgen.Space("reals", 2), condition=qgen.Space("reals", 1), **KINDS[kind])
    axis = np.linspace(-12, 12, 601)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    condition = np.full((len(grid), 1), 0.7)
    log_prob, _ = model.forward(
        "log_prob", qgen.Batch(grid, condition), rng=np.random.default_rng(1)
    )
    assert np.exp(log_prob).sum() * (axis[1] - axis[0]) ** 2 == pytest.approx(1, abs=2e-3)


def test_the_density_in_physical_units_has_the_determinant_of_every_encoder() -> None:
    """It integrates to 1 over energies, behind a logarithm and a standardisation."""
    rng = np.random.default_rng(5)
    energies = rng.lognormal(1.0, 0.4, size=(2000, 1))
    encoder = qgen.encoder("chain", encoders=["log", "standard"]).fit(energies)
    model = network(space=encoder.space, blocks=2)
    axis = np.linspace(1e-3, 60, 40_001)
    found = Model(model, encoder).log_prob(qgen.Events(axis[:, None]), rng=rng)
    assert np.exp(found).sum() * (axis[1] - axis[0]) == pytest.approx(1, abs=1e-3)


def correlated(n: int) -> Array:
    """Two columns that are far from normal, and a condition that moves them."""
    rng = np.random.default_rng(6)
    condition = rng.choice([-1.0, 1.0], size=(n, 1))
    first = rng.normal(size=n)
    second = first**2 + 0.3 * rng.normal(size=n) + condition[:, 0]
    return np.column_stack([first, second, condition])


def trained(steps: int, events: Array, **options: Any) -> InvertibleNetwork:
    model = InvertibleNetwork(
        space=qgen.Space("reals", 2),
        condition=qgen.Space("reals", 1),
        blocks=4,
        widths=(16,),
        seed=1,
        **options,
    )
    data = qgen.Events(events[:, :2], events[:, 2:])
    trainer = qgen.trainer("torch", learning_rate=0.01, steps=steps, batch_size=200)
    trainer.fit(model, data, NLL, seed=1)
    return model


def test_it_learns_what_a_condition_does() -> None:
    events = correlated(3000)
    model = trained(160, events)
    n = 4000
    means = {}
    for value in (-1.0, 1.0):
        drawn = model.sample(n, np.full((n, 1), value), rng=np.random.default_rng(2))
        means[value] = drawn[:, 1].mean()
        bend = np.corrcoef(drawn[:, 0] ** 2, drawn[:, 1])[0, 1]
        assert bend > 0.9
    assert means[1.0] - means[-1.0] == pytest.approx(2.0, abs=0.2)
    # The entropy of the events is that of two normal numbers of widths 1 and 0.3.
    entropy = np.log(2 * np.pi * np.e) + np.log(0.3)
    fresh = correlated(6000)[3000:]
    log_prob, _ = model.forward(
        "log_prob", qgen.Batch(fresh[:, :2], fresh[:, 2:]), rng=np.random.default_rng(1)
    )
    normal = 2 * 0.5 * np.log(2 * np.pi * np.e) + 0.5 * np.log(2 + 0.3**2)
    assert entropy - 0.05 < -log_prob.mean() < entropy + 0.3 < normal


def test_the_first_batch_sets_the_normalisations() -> None:
    """Everything that reaches a coupling has the mean 0 and the width 1, for one seed alike."""
    events = correlated(600) * [3.0, 5.0, 1.0] + [10.0, -2.0, 0.0]
    batch = qgen.Batch(events[:, :2], events[:, 2:])
    states = []
    for _ in range(2):
        model = network(
            space=qgen.Space("reals", 2), condition=qgen.Space("reals", 1), mixing="rotation"
        )
        norms = [model.flow.norm(number) for number in range(2)]
        for norm in norms:
            norm.requires_grad_(False)
            norm.log_scale.zero_()
            norm.shift.zero_()
        model.prepare(batch, rng=np.random.default_rng(1))
        states.append(model.state())
        x = torch.tensor(events[:, :2])
        condition = torch.tensor(events[:, 2:])
        for number, norm in enumerate(norms):
            x, _ = norm.to_latent(x)
            torch.testing.assert_close(x.mean(dim=0), torch.zeros(2).double(), atol=1e-9, rtol=0)
            torch.testing.assert_close(
                x.std(dim=0, correction=0), torch.ones(2).double(), atol=1e-9, rtol=0
            )
            x = x @ model.flow.rotations[number].T
            x = model.flow.couplings[number](condition)(x)
    for name, value in states[0].items():
        assert np.array_equal(value, states[1][name]), name
    later = model.state()
    model.prepare(qgen.Batch(events[:50, :2], events[:50, 2:]), rng=np.random.default_rng(1))
    for name, value in model.state().items():
        assert np.array_equal(value, later[name]), name


class Stop:
    """A hook that interrupts a training once."""

    def __init__(self) -> None:
        self.stopped = False

    @qgen.hookimpl
    def on_step(self, problem: Any) -> None:
        if problem.step == 4 and not self.stopped:
            self.stopped = True
            raise Interrupted("a test stops here")


def test_a_resumed_training_is_bit_identical(tmp_path: Path) -> None:
    events = correlated(500)
    whole = trained(9, events).state()
    data = qgen.Events(events[:, :2], events[:, 2:])

    def resumed() -> dict[str, Array]:
        model = InvertibleNetwork(
            space=qgen.Space("reals", 2),
            condition=qgen.Space("reals", 1),
            blocks=4,
            widths=(16,),
            seed=1,
        )
        trainer = qgen.trainer("torch", learning_rate=0.01, steps=9, batch_size=200)
        trainer.fit(model, data, NLL, seed=1, run=tmp_path, hooks=[stop])
        return model.state()

    stop = Stop()
    with pytest.raises(Interrupted):
        resumed()
    for name, value in resumed().items():
        assert np.array_equal(value, whole[name]), name


def test_many_events_are_computed_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    model = network(condition=qgen.Space("reals", 2))
    rng = np.random.default_rng(1)
    batch = qgen.Batch(rng.normal(size=(23, 3)), rng.normal(size=(23, 2)))
    cotangent = rng.normal(size=23)
    values, pullback = model.forward("log_prob", batch, rng=rng)
    gradient = pullback(cotangent)
    sizes = []
    log_prob = model.log_prob

    def counted(x: torch.Tensor, *others: Any) -> torch.Tensor:
        sizes.append(len(x))
        return log_prob(x, *others)

    monkeypatch.setattr(model, "log_prob", counted)
    monkeypatch.setattr(model, "largest_graphs", {"log_prob": 10})
    in_blocks, pullback = model.forward("log_prob", batch, rng=rng)
    assert sizes == [10, 10, 3]
    np.testing.assert_allclose(in_blocks, values, rtol=1e-12)
    for name, slope in pullback(cotangent).items():
        np.testing.assert_allclose(slope, gradient[name], rtol=1e-9, atol=1e-12, err_msg=name)


def test_without_zuko_a_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zuko", None)
    with pytest.raises(BrokenPlugin, match=r"pip install qgen-torch\[flows\]"):
        network()


@pytest.mark.parametrize(
    ("option", "value"), [("blocks", 0), ("bins", 1), ("bound", 0.0), ("widths", (8, 0))]
)
def test_what_cannot_be_is_refused(option: str, value: Any) -> None:
    with pytest.raises(BadOption, match="inn needs blocks"):
        network(**{option: value})
