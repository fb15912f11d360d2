"""Noise ``ibm-device``: a circuit as an IBM device would run it, in its gates, with its errors."""

from __future__ import annotations

import importlib.metadata
import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from qgen_core.circuits.circuit import Channel, Circuit, Instruction
from qgen_core.circuits.measures import Bits, Expectations, Measure, Probabilities, State
from qgen_core.discovery.hooks import hookimpl
from qgen_core.errors import BadOption, Unsupported
from qgen_core.interfaces import Problem
from qgen_core.noise_models.channels import Mode, check_scale
from qgen_core.support.identity_cache import Remembered
from qgen_core.support.random_streams import stream
from qgen_qiskit.devices.calibration import Device, Qubits, fake_device, live_device
from qgen_qiskit.devices.compile import CompiledCircuit, compile_for
from qgen_qiskit.devices.gate_channels import GateChannels, Readout

log = logging.getLogger("qgen")

#: Measures with readout errors, wire by wire.
WireMeasure = Probabilities | Bits | Expectations


@dataclass(eq=False)
class _CachedCircuit:
    """A circuit compiled for the device, and with the noise of one version."""

    compiled: CompiledCircuit
    version: int | None = None
    noisy: Circuit | None = None


class DeviceNoiseModel(ABC):
    """What the noise models of devices share; subclasses say which device."""

    def __init__(
        self,
        *,
        layout: tuple[int, ...] | None = None,
        readout: Readout = "mean",
        scale: float = 1.0,
        mode: Mode = "semigroup",
        drift: float = 0.0,
        draw: int | None = None,
        seed: int = 0,
    ) -> None:
        check_scale(scale)
        if readout not in ("mean", "asymmetric"):
            raise BadOption(f"readout must be 'mean' or 'asymmetric', not {readout!r}")
        if mode not in ("semigroup", "linear"):
            raise BadOption(f"mode must be 'semigroup' or 'linear', not {mode!r}")
        if not 0 <= drift < 1:
            raise BadOption(
                f"drift is a fraction from 0 to below 1 (0.08: up to 8 percent), not {drift}"
            )
        if draw is not None and (draw < 0 or not drift):
            raise BadOption(f"draw is the number of a draw of drift, at least 0, not {draw}")
        self.layout = None if layout is None else tuple(layout)
        self.readout: Readout = readout
        self.scale = scale
        self.mode = mode
        self.drift = drift
        self.draw = draw
        self.seed = seed
        self._training: Problem | None = None
        self._circuits: Remembered[Circuit, _CachedCircuit] = Remembered()
        #: The channels of the latest version.
        self._channels: tuple[int | None, GateChannels] | None = None
        self._latest: CompiledCircuit | None = None

    @abstractmethod
    def _device(self) -> Device:
        """Read the calibration."""

    @cached_property
    def device(self) -> Device:
        """The calibration, read once."""
        return self._device()

    @property
    def version(self) -> int | None:
        """The draw of the drift: a fixed one, or the step of the training; None without drift."""
        if self.draw is not None:
            return self.draw
        if not self.drift or self._training is None:
            return None
        return self._training.step

    def __call__(self, circuit: Circuit, measure: Measure) -> tuple[Circuit, Measure]:
        """The noisy circuit, and the measure with readout errors.

        The same circuit object is returned as long as the version does not change. Raises
        Unsupported for State() and for circuits with channels, BadOption for a layout that does
        not fit.
        """
        cached = self._circuits.get(
            circuit, lambda: _CachedCircuit(compile_for(circuit, self.device, self.layout))
        )
        self._latest = cached.compiled
        if isinstance(measure, State) and self.scale:
            raise Unsupported(
                "the noise of a device leaves no state vector; "
                "measure probabilities or expectations"
            )
        channels = self._current_channels()
        if cached.noisy is None or cached.version != self.version:
            wires = circuit.num_wires + len(cached.compiled.passed)
            cached.noisy = _with_channels(wires, cached.compiled, channels)
            cached.version = self.version
        extra_wires = len(cached.compiled.passed)
        if isinstance(measure, State):
            if extra_wires:
                raise Unsupported(
                    f"the circuit needs {extra_wires} more qubits of {self.device.name} than it "
                    "has wires; measure probabilities or expectations"
                )
            return cached.noisy, measure
        confusion = measure.confusion
        if self.scale:
            confusion = channels.confusion(cached.compiled.read)
            if measure.confusion is not None:
                confusion = confusion @ measure.confusion
        return cached.noisy, _with_extra_wires(replace(measure, confusion=confusion), extra_wires)

    def describe(self) -> dict[str, Any]:
        """What a run records: the calibration, the options and the qubits of the latest circuit."""
        found: dict[str, Any] = {"device": self.device.name, "calibration": self.device.source}
        if self._latest is not None:
            found["transpiled by"] = f"qiskit {importlib.metadata.version('qiskit')}"
            found["layout"] = list(self._latest.start)
            found["read on"] = list(self._latest.read)
            if self._latest.passed:
                found["passed"] = list(self._latest.passed)
        found["scale"] = self.scale
        found["mode"] = self.mode
        found["readout"] = self.readout
        found["drift"] = self.drift
        if self.draw is not None:
            found["draw"] = self.draw
        return found

    @hookimpl
    def on_fit_start(self, problem: Problem) -> None:
        """Log the qubits of the circuit; from here on drift follows the steps of the training."""
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
        """Return to the calibration without drift."""
        self._training = None

    def _current_channels(self) -> GateChannels:
        version = self.version
        if self._channels is None or self._channels[0] != version:
            device = self.device
            if version is not None:
                device = device.drifted(self.drift, stream(self.seed, "drift", version))
            channels = GateChannels(device, self.scale, self.mode, self.readout)
            self._channels = (version, channels)
        return self._channels[1]


class DeviceNoise(DeviceNoiseModel):
    """A circuit in the gates of a device, with a channel after each gate, and readout errors.

    The circuit is transpiled once, with its parameters left open. Each gate with an error or a
    duration is followed by one channel, thermal relaxation and depolarization, as in Qiskit Aer's
    model of a device. Wires on which no gate acts do not relax. Output wires are in order. Where
    routing passes qubits without a wire, the noisy circuit has more wires, which a simulator has to
    hold, and which are not read.

    Args:
        device: a fake device, i.e. a calibration stored in qiskit-ibm-runtime, such as
            ``ibm_sherbrooke``; with ``account`` the name of a device of that account.
        account: the name of a stored account of IBM Quantum, from which the present calibration of
            the device is fetched.
        layout: the qubit on which each wire begins. None: where the couplings of the device hold
            all pairs of wires that gates connect, the placement with the least sum of the errors
            of all gates and of readout; else the best of ten routings by Qiskit, by their numbers
            of two-qubit gates.
        readout: ``mean`` of the two readout errors, as in Aer's model, or ``asymmetric``.
        scale: strength of the noise: 0 for none, 1 for the device.
        mode: ``semigroup`` (powers of channels) or ``linear`` (errors times scale, with bounds).
        drift: rates change in each step of a training, by up to this fraction.
        draw: the rates of this draw of the drift, in all steps and after the training: one other
            calibration. None: new rates in each step.
        seed: of the drift; a run passes its own.

    Raises BadOption for options that do not fit, Unsupported for circuits that hold channels.

    Source: ``NoiseModel.from_backend`` of Qiskit Aer; for the scale see docs/readings.md.

    >>> from qgen_core import Gate, Probabilities
    >>> noise = DeviceNoise(device="ibm_casablanca", layout=(1, 3))
    >>> bell = Circuit(2, (Gate("h", (0,)), Gate("cx", (0, 1))))
    >>> noisy, measure = noise(bell, Probabilities())
    >>> [channel.name for channel in noisy.channels]
    ['ibm_casablanca sx', 'ibm_casablanca cx']
    >>> measure.confusion.shape
    (2, 2, 2)
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
        draw: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(
            layout=layout,
            readout=readout,
            scale=scale,
            mode=mode,
            drift=drift,
            draw=draw,
            seed=seed,
        )
        self.name = device
        self.account = account

    def _device(self) -> Device:
        if self.account is None:
            return fake_device(self.name)
        return live_device(self.name, self.account)


def _with_extra_wires(measure: WireMeasure, extra_wires: int) -> WireMeasure:
    """The measure of a circuit with more wires at its end, which have no letter and no error."""
    if not extra_wires:
        return measure
    if measure.confusion is not None:
        perfect = np.tile(np.eye(2), (extra_wires, 1, 1))
        measure = replace(measure, confusion=np.concatenate([measure.confusion, perfect]))
    if isinstance(measure, Expectations):
        words = tuple(word + "I" * extra_wires for word in measure.paulis)
        return replace(measure, paulis=words)
    return measure


def _with_channels(num_wires: int, compiled: CompiledCircuit, channels: GateChannels) -> Circuit:
    """The gates, each followed by its channel; equal channels are one object."""
    known: dict[tuple[str, Qubits], Channel] = {}
    instructions: list[Instruction] = []
    for gate, qubits in compiled.gates:
        instructions.append(gate)
        kraus = channels.kraus(gate.name, qubits)
        if kraus is None:
            continue
        key = (gate.name, qubits)
        if key not in known:
            known[key] = Channel(kraus, gate.wires, f"{channels.device.name} {gate.name}")
        instructions.append(known[key])
    return Circuit(num_wires, tuple(instructions))
