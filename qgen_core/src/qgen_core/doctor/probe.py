"""Trying one component, in a process that may be lost to it (see ``doctor``)."""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from qgen_core.circuits.circuit import Circuit, Gate, param
from qgen_core.circuits.measures import Probabilities
from qgen_core.discovery import registry
from qgen_core.discovery.entry_points import distribution_of, entries, import_failures, reason_of
from qgen_core.discovery.hooks import GROUP as HOOKS
from qgen_core.errors import BrokenPlugin, QgenError
from qgen_core.interfaces import Backend
from qgen_core.support.resources import human

#: Shots for a backend without exact values.
SHOTS = 20000
TURN = 0.7
#: How far a value may be off, by precision; in standard deviations where there are only shots.
OFF = {"double": 1e-9, "single": 1e-5}
SIGMAS = 6.0


def examine(kind: str, name: str, distribution: str) -> dict[str, Any]:
    """Import one component, and try it if it is a backend: the fields of its finding."""
    begun = time.monotonic()
    try:
        found = _tried(kind, name, distribution)
    except QgenError as error:
        why = str(error.args[0])
        found = {"state": "broken", "why": why, "mend": mend(why, distribution)}
    except Exception as error:
        found = {"state": "broken", "why": reason_of(error), "mend": mend("", distribution)}
    return found | {"seconds": round(time.monotonic() - begun, 3)}


def _tried(kind: str, name: str, distribution: str) -> dict[str, Any]:
    if kind == "hook":
        for entry in entries(HOOKS):
            if (entry.name, distribution_of(entry)[0]) == (name, distribution):
                with import_failures(f"hook {name!r}", entry):
                    entry.load()
        return {"state": "works"}
    where = name if len(registry.offers(kind)[name]) == 1 else f"{distribution}:{name}"
    options = registry.describe(kind, where).options
    if kind != "backend":
        return {"state": "works"}
    factory = registry.factory_of(kind, where)[1]
    if getattr(getattr(factory, "capabilities", None), "remote", False):
        missing = getattr(
            factory, "missing_account", lambda: "whether there is an account is not known"
        )()
        return {"state": "remote", "why": missing or "an account is there; not run"}
    required = [option for option in options if option.required]
    inner = {
        option.name: "statevector" for option in required if option.type.startswith("backend ")
    }
    if len(inner) < len(required):
        lacking = ", ".join(option.name for option in required if option.name not in inner)
        return {"state": "needs options", "why": f"not run: it has no default for {lacking}"}
    backend: Backend = registry.build(kind, {"name": where, **inner})
    can = backend.capabilities
    if can.remote:
        return {"state": "remote", "why": "not run"}
    try_circuit(backend, name)
    return {"state": "works", "wraps": bool(inner), "noise": can.noise, "gradients": can.gradients}


def try_circuit(backend: Backend, name: str) -> None:
    """Run a Bell pair next to a turned wire, and its gradient. Raises BrokenPlugin if a number is wrong.

    The third wire makes the result know the order of the wires.
    """
    circuit = Circuit(3, (Gate("h", (0,)), Gate("cx", (0, 1)), Gate("ry", (2,), param(0))))
    angles = np.array([[TURN]])
    cotangent = np.arange(8.0)[None]
    turned = np.array([np.cos(TURN / 2) ** 2, np.sin(TURN / 2) ** 2])
    slope = np.array([-np.sin(TURN), np.sin(TURN)]) / 2
    expected, derivative = (np.kron([0.5, 0, 0, 0.5], part)[None] for part in (turned, slope))
    if backend.capabilities.exact:
        found, back = backend.forward(circuit, angles, Probabilities())
        allowed: Any = OFF[backend.capabilities.precision]
        _compare(name, "a Bell pair", found, expected, allowed)
        gradient = np.array([[float(np.sum(cotangent * derivative))]])
        _compare(name, "the gradient of a Bell pair", back(cotangent), gradient, 8 * allowed)
    else:
        found = backend.run(
            circuit, angles, Probabilities(), shots=SHOTS, rng=np.random.default_rng(1)
        )
        allowed = SIGMAS * np.sqrt(expected * (1 - expected) / SHOTS)
        _compare(name, f"{SHOTS} shots of a Bell pair", found, expected, allowed)


def _compare(name: str, what: str, found: Any, expected: Any, allowed: Any) -> None:
    found = np.asarray(found)
    if found.shape != expected.shape:
        raise BrokenPlugin(
            f"backend {name!r} gave an array {found.shape} for {what}, not {expected.shape}"
        )
    if not np.all(np.abs(found - expected) <= allowed):
        off = float(np.max(np.abs(found - expected)))
        raise BrokenPlugin(f"backend {name!r} ran {what} and was wrong by {off:.2g}")


def mend(why: str, distribution: str) -> str:
    """The pip line that a message holds, or the one that puts a package and what it needs in order."""
    given = re.search(r"`(pip install [^`]+)`", why)
    return given[1] if given else f"pip install --force-reinstall {distribution}"


def compiled_code() -> dict[str, Any]:
    """What is kept on disk of the engine's compiled code, and where."""
    folders = sorted(set(_cache_folders()))
    kept = [file for folder in folders for file in folder.glob("*.nbc")]
    size = sum(file.stat().st_size for file in kept)
    writable = all(_writable(folder) for folder in folders)
    if not folders:
        state = "numba keeps nothing, so the engine is compiled anew in each process"
    elif not kept:
        state = "none yet: the first circuit compiles for up to some minutes"
    else:
        state = f"{len(kept)} pieces, {human(size)}"
    if folders and not writable:
        state += "; the folder cannot be written: set NUMBA_CACHE_DIR to one that can"
    return {
        "state": state,
        "pieces": len(kept),
        "bytes": size,
        "folders": [str(folder) for folder in folders],
        "writable": writable,
    }


def _cache_folders() -> Iterator[Path]:
    """Where numba keeps what it compiles of the engine's modules."""
    from qgen_core.simulators import statevector as engine

    for found in pkgutil.walk_packages(engine.__path__, f"{engine.__name__}."):
        for member in vars(importlib.import_module(found.name)).values():
            path = getattr(getattr(member, "stats", None), "cache_path", None)
            if isinstance(path, str):
                yield Path(path)


def _writable(folder: Path) -> bool:
    return os.access(next(p for p in (folder, *folder.parents) if p.exists()), os.W_OK)
