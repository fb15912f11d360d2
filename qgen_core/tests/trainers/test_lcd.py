"""LCD against a search written out shift by shift."""

from __future__ import annotations

import numpy as np
import pytest
from training_kills import Noiseless
from training_toys import Point, ProductBorn, SquaredError, WeightedMean, bits_events, real_events

from qgen_core.ansatze.brick import brick
from qgen_core.ansatze.tree import tree
from qgen_core.circuits.circuit import Circuit
from qgen_core.errors import BadOption
from qgen_core.trainers.lcd import Lcd, groups_of, sweep
from qgen_core.training.problem import TrainingProblem

TARGET = bits_events().target(ProductBorn().space)[1]


def loss_at(generator: ProductBorn, theta: np.ndarray) -> float:
    return float(np.sum((generator.table(theta.ravel())[0].prod(axis=1)[None] - TARGET) ** 2))


def one_by_one(steps: int, points: int, window: float, mode: str) -> tuple[np.ndarray, list[float]]:
    """The same search in plain loops: last layer first, every wire's shifts against the others
    fixed.
    """
    generator = ProductBorn()
    theta, losses = generator.theta.copy(), []
    layers, wires = theta.shape
    for step in range(steps):
        layer = layers - 1 - step % layers
        losses.append(loss_at(generator, theta))
        best = []
        for wire in range(wires):
            tried = []
            for j in range(points):
                shift = -window + 2 * window * j / (points - 1)
                moved = theta.copy()
                moved[layer, wire] += shift
                tried.append((loss_at(generator, moved), shift))
            best.append(min(tried))
        for wire, (least, shift) in enumerate(best):
            if mode == "jacobi" or least == min(best)[0]:
                theta[layer, wire] += shift
    return theta, losses


@pytest.mark.parametrize("mode", ["jacobi", "single"])
def test_lcd_is_the_search_written_out(mode: str) -> None:
    generator = ProductBorn()
    history = Lcd(points=7, window=0.5, mode=mode, steps=6).fit(
        generator, bits_events(), SquaredError(), seed=1
    )
    theta, losses = one_by_one(6, 7, 0.5, mode)
    assert np.allclose(generator.theta, theta, rtol=0, atol=1e-12)
    assert np.allclose(history.losses, losses, rtol=1e-12)
    if mode == "single":
        assert np.all(np.diff(losses) <= 0)


def test_all_shifts_of_a_group_are_one_batch() -> None:
    generator = ProductBorn(layers=2, wires=3)
    history = Lcd(points=9, steps=3).fit(generator, bits_events(), SquaredError(), seed=1)
    assert generator.calls == [(27, None)] * 3
    assert [(r["layer"], r["angle"], r["skipped"]) for r in history.records] == [
        (1, 0, 0),
        (0, 0, 0),
        (1, 0, 0),
    ]


def test_the_sweep_shifts_one_entry_at_a_time() -> None:
    theta, members, shifts = np.arange(5.0), np.array([1, 4]), np.array([-0.5, 0.0, 0.5])
    expected = []
    for member in members:
        for shift in shifts:
            row = theta.copy()
            row[member] += shift
            expected.append(row)
    assert np.array_equal(sweep(theta, members, shifts), expected)
    assert np.array_equal(sweep(theta, members, shifts)[1], theta)


def test_the_line_of_the_history_holds_the_quartiles() -> None:
    generator = ProductBorn()
    start = generator.theta.copy()
    record = Lcd(points=5, steps=1).fit(generator, bits_events(), SquaredError(), seed=1).records[0]
    losses = []
    for wire in range(3):
        for shift in (-np.pi / 4, -np.pi / 8, 0, np.pi / 8, np.pi / 4):
            moved = start.copy()
            moved[1, wire] += shift
            losses.append(loss_at(generator, moved))
    losses.sort()
    assert np.isclose(record["least"], losses[0]) and np.isclose(record["most"], losses[-1])
    assert np.isclose(record["median"], losses[7])
    assert np.isclose(record["q1"], (losses[3] + losses[4]) / 2)
    assert np.isclose(record["q3"], (losses[10] + losses[11]) / 2)


class Labelled(ProductBorn):
    """Has the circuit of an ansatz, of which only the labels are read."""

    def __init__(self, circuit) -> None:
        super().__init__(layers=1, wires=3)
        self.circuit, self.many = circuit, np.zeros(circuit.num_params)

    def parameters(self):
        return {"theta": self.many}


def problem_of(generator) -> TrainingProblem:
    return TrainingProblem(generator, bits_events(), SquaredError(), 1, 10, None)


def test_a_pass_over_ansatz_2_is_39_iterations_from_the_last_angle_to_the_first() -> None:
    circuit = tree(8, layers=12)
    groups = groups_of(problem_of(Labelled(circuit)))
    assert len(groups) == 39 and all(len(g.members) == 8 for g in groups)
    assert sorted(np.concatenate([g.members for g in groups])) == list(range(circuit.num_params))
    position = {}
    for number, gate in enumerate(circuit.gates):
        if gate.angle is not None:
            position[gate.angle.index] = number
    for wire in range(8):
        mine = [p for g in groups for p in g.members if circuit.labels[p].wire == wire]
        places = [position[p] for p in mine]
        assert places == sorted(places, reverse=True)


def test_half_layers_of_ansatz_1_are_groups_of_their_own() -> None:
    groups = groups_of(problem_of(Labelled(brick(8, layers=6))))
    assert [len(g.members) for g in groups] == [8] * 3 + ([6] * 3 + [8] * 3) * 6


@pytest.mark.parametrize(("wires", "points"), [(8, 37), (12, 25)])
def test_the_papers_batches_of_300_circuits(wires: int, points: int) -> None:
    generator = ProductBorn(layers=1, wires=wires)
    Lcd(circuits=300, steps=1).fit(generator, bits_events(wires=wires), SquaredError(), seed=1)
    assert generator.calls == [(points * wires, None)]


def test_flat_parameters_stay_where_they_are() -> None:
    class Half(ProductBorn):
        def table(self, theta):
            theta = np.array(theta).reshape(self.theta.shape)
            theta[:, 0] = 0.4
            return super().table(theta.ravel())

    generator = Half()
    before = generator.theta.copy()
    Lcd(points=5, steps=1).fit(generator, bits_events(), SquaredError(), seed=1)
    assert generator.theta[1, 0] == before[1, 0]
    assert np.any(generator.theta[1, 1:] != before[1, 1:])


class FlatLast(ProductBorn):
    """The noiseless backend sees a flat last layer (or all flat)."""

    flat = (1,)

    def outputs_at(self, output, thetas, batch, *, rng, backend=None):
        if backend is not None:
            thetas = np.array(thetas).reshape(-1, *self.theta.shape)
            thetas[:, list(self.flat)] = self.theta[list(self.flat)]
            thetas = thetas.reshape(len(thetas), -1)
        return super().outputs_at(output, thetas, batch, rng=rng, backend=backend)


def test_flat_groups_are_skipped_without_running_them() -> None:
    generator, reference = FlatLast(shots=100), Noiseless()
    before = generator.theta.copy()
    history = Lcd(points=5, reference=reference, steps=3).fit(
        generator, bits_events(), SquaredError(), seed=1
    )
    assert [r["layer"] for r in history.records] == [0, 0, 0]
    assert [r["skipped"] for r in history.records] == [1, 1, 1]
    assert generator.calls == [(15, reference), (15, reference), (15, None)] * 3
    assert np.array_equal(generator.theta[1], before[1]) and not np.array_equal(
        generator.theta[0], before[0]
    )


def test_the_threshold_is_on_the_variance() -> None:
    generator = ProductBorn()
    trials = [generator.theta.ravel().copy() for _ in range(15)]
    for number, shift in enumerate(np.tile(np.linspace(-np.pi / 4, np.pi / 4, 5), 3)):
        trials[number][3 + number // 5] += shift
    variance = np.var([loss_at(generator, t) for t in trials])
    for factor, skipped in ((0.999, 0), (1.001, 1)):
        options = {
            "points": 5,
            "reference": Noiseless(),
            "skip_below": factor * variance,
            "steps": 1,
        }
        history = Lcd(**options).fit(ProductBorn(), bits_events(), SquaredError(), seed=1)
        assert history.records[0].get("skipped", 1) == skipped


def test_it_stops_when_every_layer_is_flat() -> None:
    class Flat(FlatLast):
        flat = (0, 1)

    generator = Flat()
    before = generator.theta.copy()
    history = Lcd(points=5, reference=Noiseless(), steps=9).fit(
        generator, bits_events(), SquaredError(), seed=1
    )
    assert len(history.records) == 1 and history.stopped.startswith("every layer is flat")
    assert np.array_equal(generator.theta, before)
    assert np.isclose(history.losses[0], loss_at(generator, before))


@pytest.mark.parametrize(("flat", "layers"), [((), [1, 0, 1, 0]), ((1,), [0, 0]), ((0,), [1, 1])])
def test_passes_end_when_every_group_has_come_so_often(
    flat: tuple[int, ...], layers: list[int]
) -> None:
    class Flat(FlatLast):
        pass

    Flat.flat = flat
    trainer = Lcd(points=5, reference=Noiseless(), passes=2, steps=99)
    history = trainer.fit(Flat(), bits_events(), SquaredError(), seed=1)
    assert [
        r["layer"] for r in history.records
    ] == layers and history.stopped == "2 of 2 passes done"
    alone = Lcd(points=5, passes=2, steps=99).fit(Flat(), bits_events(), SquaredError(), seed=1)
    assert [r["layer"] for r in alone.records] == [1, 0, 1, 0], (
        "without a reference nothing is skipped"
    )


def test_the_reference_has_quartiles_of_its_own() -> None:
    generator = ProductBorn(shots=100)
    record = (
        Lcd(points=5, reference=Noiseless(), steps=1)
        .fit(generator, bits_events(), SquaredError(), seed=1)
        .records
    )
    exact = Lcd(points=5, steps=1).fit(ProductBorn(), bits_events(), SquaredError(), seed=1).records
    for name in ("least", "q1", "median", "q3", "most"):
        assert record[0][f"reference_{name}"] == pytest.approx(exact[0][name], rel=1e-12)
        assert record[0][name] != exact[0][name] and f"reference_{name}" not in exact[0]


def test_lcd_learns_from_shots() -> None:
    generator = ProductBorn(shots=20_000)
    history = Lcd(points=25, steps=12).fit(generator, bits_events(), SquaredError(), seed=1)
    assert loss_at(generator, generator.theta) < 1.5e-3 < history.losses[0]


def test_a_generator_without_labels_is_refused() -> None:
    with pytest.raises(
        BadOption, match="generator 'Point' has no circuit that labels its 3 parameters"
    ):
        Lcd().fit(Point(), real_events(), WeightedMean(), seed=1)


def test_too_few_circuits_a_batch_are_refused() -> None:
    with pytest.raises(
        BadOption, match="leave 2 for each of 3 gates; lcd needs circuits of at least 9"
    ):
        Lcd(circuits=8).fit(ProductBorn(), bits_events(), SquaredError(), seed=1)


@pytest.mark.parametrize(
    "bad", [{"points": 4}, {"points": 1}, {"window": 0.0}, {"skip_below": -1.0}, {"circuits": 2}]
)
def test_impossible_options_are_refused(bad: dict) -> None:
    with pytest.raises(BadOption, match="lcd needs"):
        Lcd(**bad)
    with pytest.raises(BadOption, match="passes must be at least 1"):
        Lcd(passes=0)


def test_a_born_machine_on_the_embedded_engine_with_a_noiseless_reference() -> None:
    from qgen_core.generators.qcbm import CircuitBornMachine
    from qgen_core.simulators.statevector.backend import StatevectorBackend

    def ansatz(wires: int, **given: object) -> Circuit:
        return brick(wires, layers=1)

    space = ProductBorn(wires=4).space
    generator = CircuitBornMachine(
        ansatz=ansatz, backend=StatevectorBackend(), space=space, shots=4000, seed=3
    )
    data = bits_events(4000, wires=4)
    history = Lcd(points=9, reference=StatevectorBackend(), steps=12).fit(
        generator, data, SquaredError(), seed=1
    )
    p = generator.backend.probabilities(generator.circuit, generator.theta)
    assert np.sum((p - data.target(generator.space)[1]) ** 2) < 0.25 * history.losses[0]
