"""Who is measured, in which environment, at which sizes, and what was done for each."""

from __future__ import annotations

from dataclasses import dataclass

BOTH = ("single", "double")
COMPLEX = {"single": "complex64", "double": "complex128"}


@dataclass(frozen=True)
class Peer:
    """A contestant; ``most`` wires it is asked for. ``module`` is its file in contestants/."""

    module: str
    label: str
    precisions: tuple[str, ...]
    most: int
    how: str
    distributions: tuple[str, ...]
    environment: str = "peers"
    quick: int = 12

    def sizes(self, quick: bool) -> int:
        """The most wires in this mode; 0 when it is left out."""
        return min(self.most, self.quick) if quick else self.most


QGEN = Peer(
    "qgen",
    "qgen",
    BOTH,
    24,
    "backend `statevector`, loss `js`, `bind` and `pullback` included",
    ("qgen-core", "numba"),
)

PEERS = (
    Peer(
        "tensorcircuit",
        "TensorCircuit-NG",
        BOTH,
        20,
        "jax.jit of value_and_grad, scan over layers, CNOTs fused with the Rots before them and "
        "layers "
        "recomputed on the way back where that is faster; compiling excluded and given as first "
        "call",
        ("tensorcircuit-ng", "jax"),
    ),
    Peer(
        "qulacs",
        "qulacs",
        ("double",),
        20,
        "ParametricQuantumCircuit.backprop_inner_product with <bra| = G|psi>",
        ("qulacs",),
    ),
    Peer(
        "lightning",
        "PennyLane lightning.qubit",
        BOTH,
        20,
        "adjoint of a SparseHamiltonian G = diag(dL/dp), from the state of the forward run; "
        "device classes called "
        "without QNodes",
        ("pennylane", "pennylane-lightning"),
    ),
    Peer(
        "pennylane_torch",
        "PennyLane default.qubit, torch",
        ("double",),
        16,
        "torch backprop; not run at 20 wires, where its stored states do not fit in memory",
        ("pennylane", "torch"),
        quick=8,
    ),
    Peer(
        "pennylane_jax",
        "PennyLane default.qubit, jax.jit",
        ("double",),
        8,
        "the whole circuit under jax.jit; compiling takes minutes (first call), so at 8 wires only",
        ("pennylane", "jax"),
        quick=0,
    ),
    Peer(
        "pyqtorch",
        "pyqtorch",
        BOTH,
        16,
        "autograd with one U gate a Rot (its adjoint method took 4 times as long); not at 20 "
        "wires, for its memory",
        ("pyqtorch", "torch"),
        quick=8,
    ),
    Peer(
        "aer",
        "Qiskit Aer, parameter shift",
        BOTH,
        12,
        "2 P + 1 circuits in one call by parameter_binds, U gates",
        ("qiskit", "qiskit-aer"),
        quick=0,
    ),
    Peer(
        "qsim",
        "qsim, parameter shift",
        ("single",),
        12,
        "2 P + 1 runs of its compiled module without Cirq's translation, which takes 10 to 60 "
        "times as long",
        ("qsimcirq",),
        quick=0,
    ),
    Peer(
        "catalyst",
        "PennyLane Catalyst",
        ("double",),
        12,
        "qjit, compiled loop over layers, adjoint of G as a sum of all words of Z (a tenth of the "
        "time of a dense "
        "Hermitian at 12 wires; parameter shift took 29 s at 8)",
        ("pennylane-catalyst", "jax"),
        "catalyst",
        quick=0,
    ),
    Peer(
        "torchquantum",
        "torchquantum",
        ("single",),
        12,
        "autograd through QuantumDevice",
        ("torchquantum", "torch"),
        "torchquantum",
        quick=0,
    ),
)
