"""What the numbers of a run depend on: the versions of packages and the events themselves."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from qgen_core.discovery.entry_points import packages, version_of
from qgen_core.discovery.hooks import manager
from qgen_core.events import Events
from qgen_core.typing import Array

#: Packages whose version can change results.
RESULT_PACKAGES = ("qgen-core", "numpy", "scipy", "numba", "llvmlite", "h5py", "safetensors")


def fingerprint(events: Events) -> str:
    """SHA-256 of features, conditions and weights, with their shapes and types, in hexadecimal.

    Names of columns and units do not count.

    >>> a = Events(np.array([[0.0], [1.0]]), columns=("pt",))
    >>> b = Events(np.array([[0.0], [1.0]]), columns=("mass",))
    >>> fingerprint(a) == fingerprint(b)
    True
    >>> fingerprint(a) == fingerprint(a.take([0]))
    False
    """
    digest = hashlib.sha256()
    for array in (events.x, events.condition, events.weight):
        if array is not None:
            _add(digest, array)
    return digest.hexdigest()


def fingerprint_of_arrays(arrays: Mapping[str, Array]) -> str:
    """SHA-256 of arrays with their names, shapes and types, in hexadecimal; order does not count.

    >>> a, b = np.zeros(2), np.ones(3)
    >>> fingerprint_of_arrays({"a": a, "b": b}) == fingerprint_of_arrays({"b": b, "a": a})
    True
    """
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode() + b"\0")
        _add(digest, np.asarray(arrays[name]))
    return digest.hexdigest()


def _add(digest: Any, array: Array) -> None:
    digest.update(str((array.shape, array.dtype.str)).encode())
    digest.update(np.ascontiguousarray(array).data)


def versions() -> dict[str, str]:
    """:func:`package_versions`, and what plugins add by the hook ``environment``.

    >>> package_versions().items() <= versions().items()
    True
    """
    result = package_versions()
    for facts in manager().environment():
        for key, value in dict(facts).items():
            result[str(key)] = str(value)
    return result


def package_versions() -> dict[str, str]:
    """Versions of Python, the platform, and every package whose version can change results.

    Besides the packages that the core computes with these are the installed plugins with the
    packages they declare to be built on. Packages that are not installed are left out.

    >>> found = package_versions()
    >>> found["numpy"] == np.__version__
    True
    """
    core, *plugins = packages().values()
    found = {}
    for name in RESULT_PACKAGES:
        found[name] = core.get(name) or version_of(name)
    for plugin in plugins:
        found |= plugin
    result = {
        "python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
    }
    for name, version in found.items():
        if version:
            result[name] = version
    return result
