"""The kits of metrics, ansaetze and datasets: built-ins pass, broken functions are found."""

from __future__ import annotations

from typing import Any

import kits_functions as broken
import numpy as np
import pytest
from kits_mutants import Mutant, assert_killed, kit_of, never_killing
from kits_mutants import tests_of as names_of_tests
from kits_offers import builtins

import qgen_core as qgen
from qgen_core.testing import AnsatzKit, DatasetKit, Kit, MetricKit
from qgen_core.testing.plugin import outcome_of


def function(found: Any) -> Any:
    """What ``make`` of a kit returns for a function."""

    def make() -> Any:
        return found

    make.__name__ = found.__name__
    return make


METRICS = [
    Mutant(function(broken.a_list), "test_numbers", "returns numbers by name, not list"),
    Mutant(function(broken.not_finite), "test_numbers", "must be a finite number, not nan"),
    Mutant(function(broken.sorts_the_events), "test_numbers", "changed the array generated"),
    Mutant(function(broken.draws_afresh), "test_reproducible", "other numbers for the same rng"),
    Mutant(function(broken.first_half), "test_order_and_scale_of_weights", "in another order"),
    Mutant(function(broken.sum_of_weights), "test_order_and_scale_of_weights", "three times"),
    Mutant(function(broken.without_weights), "test_weights", "weights change nothing of a, b"),
    Mutant(function(broken.closeness), "test_differences_are_seen", "for one that is moved"),
    Mutant(function(broken.any_columns), "test_other_columns_are_refused", "accepted"),
]
ANSAETZE = [
    Mutant(function(broken.a_wire_too_many), "test_circuits", "a Circuit on 2 wires, not"),
    Mutant(function(broken.leaves_out_a_wire), "test_circuits", r"wires \[1\] of 2 have no gate"),
    Mutant(function(broken.always_inputs), "test_circuits", "takes 1 inputs, none were asked"),
    Mutant(function(broken.random_circuit), "test_reproducible", "give different circuits"),
    Mutant(function(broken.no_parameters), "test_parameters", "no parameter to train"),
    Mutant(function(broken.numbers_with_gaps), "test_parameters", r"parameters \[1\] of 3"),
    Mutant(function(broken.only_phases), "test_parameters_change_the_outcomes", "2 of 2 param"),
    Mutant(function(broken.one_input), "test_inputs", "asked for 2 inputs, the circuit takes 1"),
    Mutant(function(broken.input_is_a_phase), "test_inputs", "input 0 changes no probability"),
    Mutant(function(broken.no_wires), "test_no_wires_are_refused", "a Circuit on 0"),
]
DATASETS = [
    Mutant(function(broken.an_array), "test_events", "returns Events, not ndarray"),
    Mutant(function(broken.no_events), "test_events", "has no events"),
    Mutant(function(broken.same_name_twice), "test_events", "the same name: a"),
    Mutant(function(broken.other_events), "test_reproducible", "a second call gives other events"),
    Mutant(function(broken.shared_events), "test_own_arrays", "changes those of the next call"),
    Mutant(function(broken.kind_unknown), "test_provenance", "not 'real'"),
    Mutant(function(broken.numbers_in_provenance), "test_provenance", "which year is not"),
]
KITS: list[tuple[type[Kit], list[Mutant], Any]] = [
    (MetricKit, METRICS, broken.shift),
    (AnsatzKit, ANSAETZE, broken.rows),
    (DatasetKit, DATASETS, broken.fine),
]
CASES = [(kit, mutant) for kit, mutants, _ in KITS for mutant in mutants]


@pytest.mark.parametrize(("kit", "mutant"), CASES, ids=lambda value: str(value))
def test_broken_functions_are_found(kit: type[Kit], mutant: Mutant) -> None:
    assert_killed(kit, mutant)


@pytest.mark.parametrize(("kit", "mutants", "good"), KITS)
def test_every_test_can_fail_and_good_functions_pass(
    kit: type[Kit], mutants: list[Mutant], good: Any
) -> None:
    assert never_killing(kit, mutants) == set()
    for test in names_of_tests(kit):
        found = outcome_of(kit_of(kit, lambda: good), "good", test)
        assert found.state in ("passed", "not applicable"), found


#: Metrics that ask a model; the tests of Boltzmann machines and of expectations hold them.
OF_MODELS = (
    "bit-marginals",
    "bit-mmd",
    "correlators",
    "covariance",
    "log-z",
    "nelbo",
    "pseudo-likelihood",
)
COMPARISONS = [name for name in builtins("metric") if name not in OF_MODELS]


class TestMetrics(MetricKit):
    """The metrics of the core."""

    @pytest.fixture(autouse=True, params=COMPARISONS)
    def _case(self, request: pytest.FixtureRequest) -> None:
        self.name = request.param
        self.distance = self.name != "correlation"
        if self.name == "classifier-auc":
            pytest.importorskip("sklearn.ensemble")  # its import draws from the global random state

    def make(self) -> Any:
        return qgen.metric(self.name)


#: Ansaetze that need registers, and the numbers of wires of those that fit few only.
REGISTERS = ("copula", "ising")
WIRES = {"mera-up": (4, 8), "copula": (4, 6), "tree": (4, 8)}


class TestAnsaetze(AnsatzKit):
    """The ansaetze of the core."""

    @pytest.fixture(autouse=True, params=builtins("ansatz"))
    def _case(self, request: pytest.FixtureRequest) -> None:
        self.name = request.param
        self.wires = WIRES.get(self.name, (2, 4))

    def make(self) -> Any:
        options = {}
        if "layers" in {option.name for option in qgen.describe("ansatz", self.name).options}:
            options["layers"] = 1
        return qgen.ansatz(self.name, **options)

    def arguments(self, wires: int) -> dict[str, Any]:
        if self.name in REGISTERS:
            return {"registers": (wires // 2, wires - wires // 2)}
        if self.name == "chow-liu":
            bits = np.random.default_rng(3).integers(0, 2, (200, wires)).astype(np.int8)
            return {"data": qgen.Events(bits)}
        return {}
