"""What numba imports before it loads or compiles a function; our functions do without most of it.

numba fills its tables of types and functions, and imports each installed package that extends it,
before it does either. Code from the cache needs none of this, and our functions need no
extensions. That is most of the start of a training; what numba does for functions of the user's
stays as it is.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any

from numba.core import entrypoints
from numba.core.compiler_lock import global_compiler_lock
from numba.core.runtime.nrt import rtsys
from numba.np import linalg


def without_extensions(compile_for: Callable[..., Any], *arguments: Any) -> Any:
    """Compile one of our functions, or load it from the cache, with numba's own types only.

    At its first compilation numba imports each installed package that extends it, such as awkward,
    which takes 2 s of each process. Functions of the user's still find these extensions.
    """
    with global_compiler_lock:
        initialized = entrypoints._already_initialized
        entrypoints._already_initialized = True
        try:
            return compile_for(*arguments)
        finally:
            entrypoints._already_initialized = initialized


def prepare_to_load(target_context: Any) -> None:
    """Do before code is loaded what it needs to run: arrays that it makes are counted.

    numba also fills the tables of ``target_context`` here, .3 s of imports. A compilation fills
    them whenever it begins.
    """
    rtsys.initialize(target_context)


@cache
def prepare_to_compile() -> None:
    """Import numba's functions of arrays without scipy's linear algebra.

    They import ``scipy.linalg`` to learn whether there is BLAS. We depend on scipy, so there is; a
    function that calls BLAS imports it when it is compiled.
    """
    ensure_blas = linalg.ensure_blas
    linalg.ensure_blas = _no_import
    try:
        importlib.import_module("numba.np.arraymath")
    finally:
        linalg.ensure_blas = ensure_blas


def _no_import() -> None:
    """Takes the place of a function that imports scipy."""
