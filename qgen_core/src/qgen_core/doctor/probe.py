"""Trying one component; runs in a child process that the component may take down."""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from qgen_core.circuits.circuit import Circuit, Gate, param
from qgen_core.circuits.measures import Probabilities, Shots
from qgen_core.discovery import registry
from qgen_core.discovery.entry_points import distribution_of, entries, import_failures, reason_of
from qgen_core.discovery.hooks import GROUP as HOOKS
from qgen_core.discovery.install_hints import install_command
from qgen_core.errors import BrokenPlugin, QgenError
from qgen_core.interfaces import Backend
from qgen_core.support.resources import readable_size

#: Shots for a backend without exact values.
SHOTS = 20000
#: Angle of the rotation in the circuit whose result is known, in radians.
ANGLE = 0.7
#: Largest error of an exact value, by precision.
TOLERANCE = {"double": 1e-9, "single": 1e-5}
#: Largest error of a value estimated from shots, in standard deviations.
SIGMAS = 6.0


def examine(kind: str, name: str, distribution: str) -> dict[str, Any]:
    """Import one component and, if it is a backend, run it.

    Returns the fields of its :class:`~qgen_core.doctor.checkup.Finding`, from ``state`` on.

    >>> found = examine("loss", "js", "qgen-core")
    >>> found["state"]
    'works'
    """
    begun = time.monotonic()
    try:
        found = _try(kind, name, distribution)
    except QgenError as error:
        why = str(error.args[0])
        found = {"state": "broken", "why": why, "mend": repair_command(why, distribution)}
    except Exception as error:
        command = repair_command("", distribution)
        found = {"state": "broken", "why": reason_of(error), "mend": command}
    return found | {"seconds": round(time.monotonic() - begun, 3)}


def import_module(module: str) -> None:
    """Import a module; what it raises is said where its components are examined.

    >>> import_module("no_such_module")
    """
    with suppress(Exception, SystemExit):
        importlib.import_module(module)


def _try(kind: str, name: str, distribution: str) -> dict[str, Any]:
    if kind == "hook":
        _import_hook(name, distribution)
        return {"state": "works"}
    ref = name
    if len(registry.offers(kind)[name]) > 1:
        ref = f"{distribution}:{name}"
    options = registry.describe(kind, ref).options  # imports the component
    if kind != "backend":
        return {"state": "works"}
    return _try_backend(name, ref, options)


def _import_hook(name: str, distribution: str) -> None:
    for entry in entries(HOOKS):
        if entry.name == name and distribution_of(entry)[0] == distribution:
            with import_failures(f"hook {name!r}", entry):
                entry.load()


def _try_backend(name: str, ref: str, options: tuple[registry.Option, ...]) -> dict[str, Any]:
    """Run a backend, unless it is remote or has options without a default."""
    _, factory = registry.factory_of("backend", ref)
    if getattr(getattr(factory, "capabilities", None), "remote", False):
        return {"state": "remote", "why": _account_of(factory)}
    wrapped: dict[str, str] = {}
    lacking = []
    for option in options:
        if not option.required:
            continue
        if option.type.startswith("backend "):
            wrapped[option.name] = "statevector"
        else:
            lacking.append(option.name)
    if lacking:
        why = f"not run: it has no default for {', '.join(lacking)}"
        return {"state": "needs options", "why": why}
    backend: Backend = registry.build("backend", {"name": ref, **wrapped})
    capabilities = backend.capabilities
    if capabilities.remote:
        return {"state": "remote", "why": "not run"}
    check_backend(backend, name)
    return {
        "state": "works",
        "wraps": bool(wrapped),
        "noise": capabilities.noise,
        "gradients": capabilities.gradients,
    }


def _account_of(factory: registry.Factory) -> str:
    """What is known of the account of a remote backend, without asking its service."""
    if not hasattr(factory, "missing_account"):
        return "whether an account is stored is not known"
    return factory.missing_account() or "an account is stored; not run"


def check_backend(backend: Backend, name: str) -> None:
    """Run a Bell pair next to a rotated wire, and its gradient, and compare with the known result.

    The third wire makes the result depend on the order of the wires. Raises BrokenPlugin if a
    number or a shape is wrong.

    >>> import qgen_core as qgen
    >>> check_backend(qgen.backend("statevector"), "statevector")
    """
    circuit = Circuit(3, (Gate("h", (0,)), Gate("cx", (0, 1)), Gate("ry", (2,), param(0))))
    angles = np.array([[ANGLE]])
    bell = np.array([0.5, 0, 0, 0.5])
    rotated = np.array([np.cos(ANGLE / 2) ** 2, np.sin(ANGLE / 2) ** 2])
    rotated_slope = np.array([-np.sin(ANGLE), np.sin(ANGLE)]) / 2
    expected = np.kron(bell, rotated)[None]
    slope = np.kron(bell, rotated_slope)[None]
    if not backend.capabilities.exact:
        shots = Shots(SHOTS, np.random.default_rng(1))
        found = backend.run(circuit, angles, Probabilities(), shots)
        allowed = SIGMAS * np.sqrt(expected * (1 - expected) / SHOTS)
        _compare(name, f"{SHOTS} shots of a Bell pair", found, expected, allowed)
        return
    tolerance = TOLERANCE[backend.capabilities.precision]
    found, pullback = backend.forward(circuit, angles, Probabilities())
    _compare(name, "a Bell pair", found, expected, tolerance)
    cotangent = np.arange(8.0)[None]
    gradient = np.array([[float(np.sum(cotangent * slope))]])
    _compare(name, "the gradient of a Bell pair", pullback(cotangent), gradient, 8 * tolerance)


def _compare(name: str, what: str, found: Any, expected: Any, allowed: Any) -> None:
    found = np.asarray(found)
    if found.shape != expected.shape:
        raise BrokenPlugin(
            f"backend {name!r} gave an array {found.shape} for {what}, not {expected.shape}"
        )
    if not np.all(np.abs(found - expected) <= allowed):
        error = float(np.max(np.abs(found - expected)))
        raise BrokenPlugin(f"backend {name!r} ran {what} and was wrong by {error:.2g}")


def repair_command(message: str, distribution: str) -> str:
    """The ``pip`` command that a message holds, or one that reinstalls the package.

    >>> repair_command("needs cirq; `pip install cirq-core` installs it", "qgen-cirq")
    'pip install cirq-core'
    >>> repair_command("", "no-such-package")
    'pip install --force-reinstall no-such-package'
    """
    in_message = re.search(r"`(pip install [^`]+)`", message)
    if in_message:
        return in_message[1]
    return install_command(distribution, again=True)


def compiled_code() -> dict[str, Any]:
    """Where the engine's compiled code lies, and whether it is sound; repairs what is not.

    Damaged files are removed, and so are those that no code uses any more. Keys: ``state`` in
    words, ``pieces`` and ``bytes`` of sound code, ``folders``, whether one of them is ``writable``,
    the numbers of files ``removed`` as ``damaged`` and ``outdated``, and what is ``in_the_way`` and
    could not be removed.
    """
    from qgen_core.simulators.simd.code_cache import VARIABLE, inspect_folder

    folders = _cache_folders()
    sound: list[Path] = []
    in_the_way: list[str] = []
    removed = {"damaged": 0, "outdated": 0}
    for folder, sources in folders.items():
        for path, state in inspect_folder(folder, sources):
            if state == "sound":
                sound.append(path)
            elif _removed(path):
                removed[state] += 1
            else:
                in_the_way.append(str(path))
    size = sum(file.stat().st_size for file in sound)
    writable = any(_writable(folder) for folder in folders)
    used = sorted({path.parent for path in sound})
    if sound:
        common = os.path.commonpath([folder.parent for folder in used])
        state_text = f"{len(sound)} pieces, {readable_size(size)}, all sound, below {common}"
    elif writable:
        state_text = "none yet: the first circuit compiles for up to some minutes"
    else:
        state_text = "none: the engine is compiled again in each process"
    for kind, number in removed.items():
        if number:
            state_text += f"; {number} {kind} removed"
    if in_the_way:
        state_text += f"; remove {', '.join(in_the_way)}, which cannot be read or replaced"
    if not writable:
        state_text += f"; no folder is writable: set {VARIABLE} to one that is"
    return {
        "state": state_text,
        "pieces": len(sound),
        "bytes": size,
        "folders": [str(folder) for folder in folders],
        "writable": writable,
        "removed": removed,
        "in_the_way": in_the_way,
    }


def _cache_folders() -> dict[Path, bytes]:
    """Where compiled functions may lie, and the sources of each."""
    from qgen_core import generators, metrics, samplers, simulators, trainers
    from qgen_core.simulators.simd.code_cache import CodeCache

    folders: dict[Path, bytes] = {}
    for package in (generators, metrics, samplers, simulators, trainers):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            for member in vars(importlib.import_module(module.name)).values():
                cache = getattr(member, "_cache", None)
                if isinstance(cache, CodeCache):
                    folders |= dict.fromkeys(cache.folders, cache.sources)
    return folders


def _removed(path: Path) -> bool:
    """Remove a file or an empty folder; returns whether that was possible."""
    try:
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()
    except OSError:
        return False
    return True


def _writable(folder: Path) -> bool:
    """Whether a folder can be written, or made below its nearest parent that exists."""
    nearest = folder
    while not nearest.exists():
        nearest = nearest.parent
    return nearest.is_dir() and os.access(nearest, os.W_OK)
