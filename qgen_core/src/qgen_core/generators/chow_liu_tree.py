"""The generator ``chow-liu-tree``: the tree of columns that fits the events best; a control."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from qgen_core.errors import BadOption, DataError, OutputMismatch
from qgen_core.events import Batch, Events, Space, bits_to_index, index_to_bits
from qgen_core.generators.conditions import condition_width, require_conditions
from qgen_core.generators.spin_events import check_binary, from_spins, to_spins
from qgen_core.interfaces import Generator
from qgen_core.support.dependence_tree import dependence_tree, joint_counts, mutual_information
from qgen_core.support.parameters import load_into
from qgen_core.support.resources import require_memory
from qgen_core.typing import Array, Floats, Ints, Pullback, Rng


class ChowLiuTree(Generator):
    """``p(x) = prod_i p(x_i | x_parent(i))``, with the tree and the tables of largest likelihood.

    The tree is the maximum spanning tree of the mutual information of all pairs of columns of the
    training events; its tables are their frequencies. So no other tree of columns has a larger
    likelihood, and there is nothing to train: a training ends after its first step. Samples and
    log probabilities are exact.

    A column is a bit, or a register of several bits with a table of all its values.

    A condition, a single number, has ``strata``: between its quantiles each stratum of the training
    events has a tree of its own. Within a stratum the model does not depend on the condition.

    ``num_params`` is the number of free probabilities of the tables, for comparisons; none of them
    is a parameter for a trainer.

    Outputs: ``log_prob`` (N,) and ``samples`` (N, width).

    Args:
        space: of the events, bits or spins.
        data: the training events, with optional weights.
        condition: of the conditions, one column; None for a model without conditions.
        columns: what a node of the tree is, ``bits`` or ``registers``.
        strata: the number of strata of the condition, which have equal numbers of events.
        pseudo_events: the weight of events of the uniform distribution that are added to those of
            each stratum, so that no event has the probability 0. With 0 the likelihood of the
            training events is the largest.

    Raises BadOption for other spaces, conditions of several columns and numbers out of range;
    DataError for a stratum without events; ResourceRefused for registers whose tables are beyond
    the memory.

    Source: Chow and Liu, IEEE Trans. Inf. Theory 14 (1968) 462.

    >>> bits = np.array([[0, 0, 1], [1, 1, 1], [0, 0, 0], [1, 1, 0]], dtype=np.int8)
    >>> model = ChowLiuTree(space=Space("bits", 3), data=Events(bits), pseudo_events=0)
    >>> model.edges(), model.num_params
    ([(0, 1), (0, 2)], 5)
    >>> logs, _ = model.forward("log_prob", Batch(bits), rng=np.random.default_rng(1))
    >>> np.exp(logs).round(6).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """

    outputs = frozenset({"log_prob", "samples"})

    def __init__(
        self,
        *,
        space: Space,
        data: Events,
        condition: Space | None = None,
        columns: Literal["bits", "registers"] = "bits",
        strata: int = 8,
        pseudo_events: float = 1.0,
    ) -> None:
        check_binary(space, "events")
        if condition_width(condition) > 1:
            raise BadOption(f"chow-liu-tree takes a condition of one column, not {condition}")
        if strata < 1 or not 0 <= pseudo_events < np.inf:
            raise BadOption(
                "strata are at least 1 and pseudo_events at least 0, not "
                f"{strata} and {pseudo_events:g}"
            )
        require_conditions("chow-liu-tree", condition, data.condition, len(data))
        self.space = space
        self.condition = condition
        self._widths = (1,) * space.width
        if columns == "registers" and space.registers:
            self._widths = space.registers
        self._limits = np.zeros(0)
        if data.condition is not None:
            shares = np.arange(1, strata) / strata
            self._limits = np.quantile(data.condition[:, 0], shares)
        _require_tables(self._widths, len(self._limits) + 1)
        levels = 2 ** np.array(self._widths)
        values = self._values(data.x)
        stratum = self._stratum(data.condition, len(data))
        self._trees = []
        for number in range(len(self._limits) + 1):
            chosen = stratum == number
            if not np.any(chosen):
                raise DataError(
                    f"stratum {number} of the condition has no events; take fewer strata than "
                    f"{strata}"
                )
            counts = joint_counts(values[chosen], levels, data.weights[chosen])
            counts += pseudo_events * _uniform_counts(levels)
            self._trees.append(_Tree.of(np.clip(counts, 0.0, None), levels))
        self.num_params = sum(tree.free_probabilities(levels) for tree in self._trees)

    def edges(self, stratum: int = 0) -> list[tuple[int, int]]:
        """The edges (parent, child) of the tree of a stratum, from the root on."""
        tree = self._trees[stratum]
        return [(int(tree.parents[child]), int(child)) for child in tree.order[1:]]

    def needs_random_numbers(self, output: str) -> bool:
        """Only samples are random."""
        return output == "samples"

    def sample(self, n: int, condition: Array | None = None, *, rng: Rng) -> Array:
        """n events. Raises BadOption for n < 0, DataError for conditions that do not fit."""
        if n < 0:
            raise BadOption(f"n is the number of events, at least 0, not {n}")
        require_conditions("chow-liu-tree", self.condition, condition, n)
        stratum = self._stratum(condition, n)
        values = np.zeros((n, len(self._widths)), dtype=np.int64)
        for number, tree in enumerate(self._trees):
            chosen = stratum == number
            values[chosen] = tree.sample(int(np.count_nonzero(chosen)), rng)
        bits = []
        for column, width in enumerate(self._widths):
            bits.append(index_to_bits(values[:, column], width))
        spins = 2 * np.concatenate(bits, axis=1) - 1
        return from_spins(spins.astype(np.int8), self.space)

    def forward(self, output: str, batch: Batch, *, rng: Rng) -> tuple[Array, Pullback]:
        """Log probabilities (N,) or samples (N, width); their pullback is empty.

        Raises OutputMismatch for another output, DataError for events or conditions that do not
        fit.
        """
        if output not in self.outputs:
            raise OutputMismatch(
                f"chow-liu-tree offers {', '.join(sorted(self.outputs))}, not {output}"
            )
        if output == "samples":
            values, _ = super().forward(output, batch, rng=rng)
        else:
            values = self._log_prob(batch)
        return values, lambda cotangent: {}

    def _log_prob(self, batch: Batch) -> Floats:
        values = self._values(batch.x)
        require_conditions("chow-liu-tree", self.condition, batch.condition, len(values))
        stratum = self._stratum(batch.condition, len(values))
        logs = np.zeros(len(values))
        for number, tree in enumerate(self._trees):
            chosen = stratum == number
            logs[chosen] = tree.log_prob(values[chosen])
        return logs

    def _values(self, x: Array | None) -> Ints:
        """The value of each node (N, Q) of events (N, width)."""
        bits = to_spins(x, self.space, "events") > 0
        ends = np.cumsum(self._widths)
        values = np.zeros((len(bits), len(ends)), dtype=np.int64)
        for column, (end, width) in enumerate(zip(ends, self._widths, strict=True)):
            values[:, column] = bits_to_index(bits[:, end - width : end])
        return values

    def _stratum(self, condition: Array | None, n: int) -> Ints:
        """The number of the stratum (n,) of each condition (n, 1)."""
        if condition is None:
            return np.zeros(n, dtype=np.int64)
        return np.searchsorted(self._limits, condition[:, 0], side="right")

    def _arrays(self) -> dict[str, Array]:
        arrays: dict[str, Array] = {"limits": self._limits}
        for number, tree in enumerate(self._trees):
            arrays[f"parents.{number}"] = tree.parents
            arrays[f"order.{number}"] = tree.order
            arrays[f"tables.{number}"] = tree.tables
        return arrays

    def state(self) -> dict[str, Array]:
        return {name: value.copy() for name, value in self._arrays().items()}

    def load(self, state: Mapping[str, Array]) -> None:
        load_into(type(self).__name__, self._arrays(), state)


@dataclass(frozen=True)
class _Tree:
    """A tree of Q nodes with at most L values each.

    ``parents`` (Q,) has the root as its own parent; ``order`` (Q,) has parents before children;
    ``tables[i, a, b]`` (Q, L, L) is the probability that node i has the value b where its parent
    has the value a. That of the root does not depend on a.
    """

    parents: Ints
    order: Ints
    tables: Floats

    @classmethod
    def of(cls, counts: Floats, levels: Ints) -> Self:
        """The tree of largest likelihood, from the counts (S, S) of pairs of values."""
        edges = dependence_tree(mutual_information(counts, levels))
        parents = np.zeros(len(levels), dtype=np.int64)
        for parent, child in edges:
            parents[child] = parent
        order = np.array([0, *(child for _, child in edges)], dtype=np.int64)
        ends = np.cumsum(levels)
        most = int(levels.max())
        tables = np.zeros((len(levels), most, most))
        for node, parent in enumerate(parents.tolist()):
            own = slice(ends[node] - levels[node], ends[node])
            given = slice(ends[parent] - levels[parent], ends[parent])
            joint = counts[given, own]
            if node == parent:
                joint = np.broadcast_to(np.diag(joint), joint.shape)
            tables[node, : levels[parent], : levels[node]] = _conditional(joint)
        return cls(parents, order, tables)

    def free_probabilities(self, levels: Ints) -> int:
        """The number of free probabilities of the tables."""
        of_root = int(levels[0]) - 1
        children = self.order[1:]
        of_edges = levels[self.parents[children]] * (levels[children] - 1)
        return of_root + int(of_edges.sum())

    def log_prob(self, values: Ints) -> Floats:
        """log p (N,) of the values (N, Q) of all nodes."""
        nodes = np.arange(len(self.parents))
        probabilities = self.tables[nodes, values[:, self.parents], values]
        with np.errstate(divide="ignore"):  # -inf for what never occurs
            logs: Floats = np.log(probabilities).sum(axis=1)
        return logs

    def sample(self, n: int, rng: Rng) -> Ints:
        """n independent draws (n, Q) of the values of all nodes."""
        values = np.zeros((n, len(self.parents)), dtype=np.int64)
        for node in self.order:
            # The root is its own parent, whose value is still 0; its table has equal rows.
            given = values[:, self.parents[node]]
            sums = np.cumsum(self.tables[node, given], axis=1)
            drawn = rng.random(n) * sums[:, -1]
            values[:, node] = np.count_nonzero(sums <= drawn[:, None], axis=1)
        return values


def _conditional(joint: Floats) -> Floats:
    """Counts (A, B) as probabilities of b given a; uniform where a never occurs."""
    totals = joint.sum(axis=1, keepdims=True)
    uniform = np.full(joint.shape, 1 / joint.shape[1])
    conditional: Floats = np.divide(joint, totals, out=uniform, where=totals > 0)
    return conditional


def _uniform_counts(levels: Ints) -> Floats:
    """The counts (S, S) of pairs of values of one event of the uniform distribution."""
    share = np.repeat(1 / levels, levels)
    counts = np.outer(share, share)
    column_of = np.repeat(np.arange(len(levels)), levels)
    same_column = column_of[:, None] == column_of
    counts[same_column] = np.diag(share)[same_column]
    return counts


def _require_tables(widths: tuple[int, ...], trees: int) -> None:
    """Refuse registers whose tables are beyond the memory."""
    of_tree = len(widths) * 4 ** max(widths)
    of_counts = sum(2**width for width in widths) ** 2
    require_memory(
        8 * (trees * of_tree + 4 * of_counts),
        f"a tree of registers of up to {max(widths)} bits",
        "take registers of fewer bits, or columns = 'bits'",
    )
