"""Noise ``ibm-device``: a circuit as a device of IBM would run it, in its gates and with its errors."""

from __future__ import annotations

import importlib.metadata
import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from qgen_core.circuits.circuit import Channel, Circuit, Instruction
from qgen_core.circuits.measures import Measure, State
from qgen_core.discovery.hooks import hookimpl
from qgen_core.errors import BadOption, Unsupported
from qgen_core.interfaces import Problem
from qgen_core.noise_models.channels import Mode, check_scale
from qgen_core.support.identity_cache import Remembered
from qgen_core.support.random_streams import stream
from qgen_qiskit.devices.compile import Compiled, compile_for
from qgen_qiskit.devices.rates import Rates, Readout
from qgen_qiskit.devices.snapshot import Device, fake_device, live_device

log = logging.getLogger("qgen")


@dataclass(eq=False)
class _Kept:
    """What is known of a circuit: it in the device's gates, and the noisy one of one version."""

    compiled: Compiled
    version: int | None = None
    noisy: Circuit | None = None


class DeviceMap(ABC):
    """The map of circuits that the noise models of devices share; what they differ in is the device."""

    def __init__(
        self,
        *,
        layout: tuple[int, ...] | None = None,
        readout: Readout = "mean",
        scale: float = 1.0,
        mode: Mode = "semigroup",
        drift: float = 0.0,
        seed: int = 0,
    ) -> None:
        check_scale(scale)
        if readout not in ("mean", "asymmetric"):
            raise BadOption(f"readout is mean or asymmetric, not {readout!r}")
        if mode not in ("semigroup", "linear"):
            raise BadOption(f"mode is semigroup or linear, not {mode!r}")
        if not 0 <= drift < 1:
            raise BadOption(
                f"drift is a fraction from 0 to below 1 (0.08: up to 8 percent), not {drift}"
            )
        self.layout = None if layout is None else tuple(layout)
        self.readout: Readout = readout
        self.scale, self.mode, self.drift, self.seed = scale, mode, drift, seed
        self._training: Problem | None = None
        self._circuits: Remembered[Circuit, _Kept] = Remembered()
        self._rates: tuple[int | None, Rates] | None = None
        self._latest: Compiled | None = None

    @abstractmethod
    def _device(self) -> Device:
        """The calibration to take."""

    @cached_property
    def device(self) -> Device:
        """The calibration that is used, read once."""
        return self._device()

    @property
    def version(self) -> int | None:
        """What the noise now depends on beside the circuit: the step of a training, if it drifts."""
        return self._training.step if self.drift and self._training is not None else None

    def __call__(self, circuit: Circuit, measure: Measure) -> tuple[Circuit, Measure]:
        """The noisy circuit, the same one as long as nothing changes, and the measure read wrongly."""
        kept = self._circuits.get(
            circuit, lambda: _Kept(compile_for(circuit, self.device, self.layout))
        )
        self._latest = kept.compiled
        if isinstance(measure, State) and self.scale:
            raise Unsupported(
                "the noise of a device leaves no state vector; measure probabilities or expectations"
            )
        rates = self._rates_now()
        if kept.noisy is None or kept.version != self.version:
            kept.noisy, kept.version = _noisy(circuit.num_wires, kept.compiled, rates), self.version
        if isinstance(measure, State) or not self.scale:
            return kept.noisy, measure
        confusion = rates.confusion(kept.compiled.read)
        if measure.confusion is not None:
            confusion = confusion @ measure.confusion
        return kept.noisy, replace(measure, confusion=confusion)

    def describe(self) -> dict[str, Any]:
        """What a run records: the calibration, the options, and the qubits of the circuit mapped last."""
        found: dict[str, Any] = {"device": self.device.name, "calibration": self.device.source}
        if self._latest is not None:
            found["transpiled by"] = f"qiskit {importlib.metadata.version('qiskit')}"
            found |= {"layout": list(self._latest.start), "read on": list(self._latest.read)}
        options = {
            "scale": self.scale,
            "mode": self.mode,
            "readout": self.readout,
            "drift": self.drift,
        }
        return found | options

    @hookimpl
    def on_fit_start(self, problem: Problem) -> None:
        """Say where the circuit lies, and follow the steps of the training."""
        self._training = problem
        if self._latest is not None:
            log.info(
                "noise of %s (%s): wires begin on qubits %s and are read on %s; readout errors %s",
                self.device.name,
                self.device.source,
                ", ".join(map(str, self._latest.start)),
                ", ".join(map(str, self._latest.read)),
                self.readout,
            )

    @hookimpl
    def on_fit_end(self) -> None:
        """What is generated after a training has the calibration as it is."""
        self._training = None

    def _rates_now(self) -> Rates:
        version = self.version
        if self._rates is None or self._rates[0] != version:
            device = self.device
            if version is not None:
                device = device.drifted(self.drift, stream(self.seed, "drift", version))
            self._rates = version, Rates(device, self.scale, self.mode, self.readout)
        return self._rates[1]


class DeviceNoise(DeviceMap):
    """A circuit in the gates of a device, with the device's errors behind each gate and in its readout.

    The circuit is transpiled once, parameters and all, to the qubits that it uses. Each gate that has
    an error or takes time is followed by one channel: thermal relaxation and depolarization as in Qiskit
    Aer's model of a device. Wires on which no gate acts do not relax. Output wires are in order.

    Args:
        device: a fake device, that is a calibration stored in qiskit-ibm-runtime, e.g. ``ibm_sherbrooke``;
            with ``account`` the name of a device as the account sees it.
        account: a stored account of IBM Quantum (by the name under which it was saved); its device is
            asked for its present calibration.
        layout: the qubit on which each wire begins; none: for each unconnected part of the circuit the
            connected set of qubits with the least sum of two-qubit errors, parts apart.
        readout: ``mean`` of the two readout errors, as in Aer's model, or ``asymmetric``.
        scale: how strong the noise is; 0 none, 1 the device.
        mode: ``semigroup`` (rates as powers) or ``linear`` (errors times scale, with caps).
        drift: rates change in each step of a training, by up to this fraction of each.
        seed: of the drift; a run gives its own.

    Raises BadOption for options that do not fit, Unsupported for circuits that hold channels.

    Source: the model is that of ``NoiseModel.from_backend`` in Qiskit Aer; for the scale see
    docs/readings.md.
    """

    def __init__(
        self,
        *,
        device: str,
        account: str | None = None,
        layout: tuple[int, ...] | None = None,
        readout: Readout = "mean",
        scale: float = 1.0,
        mode: Mode = "semigroup",
        drift: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__(
            layout=layout, readout=readout, scale=scale, mode=mode, drift=drift, seed=seed
        )
        self.name, self.account = device, account

    def _device(self) -> Device:
        return (
            fake_device(self.name) if self.account is None else live_device(self.name, self.account)
        )


def _noisy(num_wires: int, compiled: Compiled, rates: Rates) -> Circuit:
    """The gates with their channels behind them; equal channels are one object."""
    known: dict[tuple[str, tuple[int, ...]], Channel] = {}
    instructions: list[Instruction] = []
    for gate, qubits in compiled.gates:
        instructions.append(gate)
        kraus = rates.kraus(gate.name, qubits)
        if kraus is None:
            continue
        key = gate.name, qubits
        if key not in known:
            known[key] = Channel(kraus, gate.wires, f"{rates.device.name} {gate.name}")
        instructions.append(known[key])
    return Circuit(num_wires, tuple(instructions))
