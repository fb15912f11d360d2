"""Results of the study ``jets-noise`` selected by configuration."""

from __future__ import annotations

from qgen_core.studies import Results
from qgen_hep.studies.jets_noise.grid import CONFIGURATIONS, MODES, Mode

#: Wires, ansatz and mode of a tuning.
Configuration = tuple[int, str, Mode]


def tunings(results: Results, wires: int, ansatz: str, mode: Mode = "jacobi") -> Results:
    """The seeds of one configuration."""
    return results.where(measured="tuned", wires=wires, ansatz=ansatz, mode=mode)


def beside(results: Results, measured: str, wires: int, ansatz: str) -> Results:
    """The seeds of the ``twin`` or of the ``frozen`` circuit beside the tunings."""
    return results.where(measured=measured, wires=wires, ansatz=ansatz)


def configurations(results: Results) -> list[Configuration]:
    """Wires, ansatz and mode of the configurations that have cells."""
    found: list[Configuration] = []
    for wires, ansatz in CONFIGURATIONS:
        for mode in MODES:
            if tunings(results, wires, ansatz, mode):
                found.append((wires, ansatz, mode))
    return found


def device_of(results: Results, wires: int) -> str:
    """The name of the noise model of the tunings with this number of wires."""
    found = results.where(measured="tuned", wires=wires)
    if not found:
        return ""
    return str(found[0].cell.tags["device"])
