"""Compiled code on disk: one file an entry, which is read only if every byte of it is right.

numba's own cache trusts its files: an empty one stops the program, a damaged one may give wrong
numbers, and without a folder that can be written nothing runs. Here an entry carries a digest of
its bytes and the names of the sources and of the signature that it was made from. What does not
match is compiled anew and replaced; what cannot be kept is compiled in memory. An entry is written
under a temporary name and then renamed, so several processes never see half of one, and there is no
index that they would have to share.
"""

from __future__ import annotations

import inspect
import logging
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from hashlib import sha1, sha256
from pathlib import Path
from typing import Any, Literal

import llvmlite
import numba
from numba.core import config
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps, loads
from numba.misc.appdirs import AppDirs

from qgen_core.simulators.simd.numba_start import prepare_to_compile, prepare_to_load

log = logging.getLogger("qgen")

#: How the name of an entry ends.
SUFFIX = ".nbc"
#: How the name of an entry begins, so that files of numba's own cache are told apart.
PREFIX = "qgen-"
#: The variable that chooses the folder.
VARIABLE = "NUMBA_CACHE_DIR"
#: Bytes of a digest. An entry is three of them (of the sources, of the key, and of all other bytes)
#: and the code.
_DIGEST = 32
_HEAD = 3 * _DIGEST

#: What was said of this process's cache; everything is said once.
_said: set[str] = set()


def _say_once(topic: str, message: str) -> None:
    if topic not in _said:
        _said.add(topic)
        log.warning(message)


def versions() -> str:
    """The versions of what compiles; code of others may not be loaded."""
    return f"python {sys.version}, numba {numba.__version__}, llvmlite {llvmlite.__version__}"


def cache_folders(source_folder: Path) -> list[Path]:
    """Where code of the sources in a folder may lie, in the order of preference.

    The folder in ``NUMBA_CACHE_DIR`` alone if that is set; else ``__pycache__`` beside the sources,
    and the user's cache folder if there is a home.

    >>> source_folder = Path("engine").absolute()
    >>> first = cache_folders(source_folder)[0]
    >>> first.name in ("__pycache__", cache_name(source_folder))
    True
    """
    name = cache_name(source_folder)
    chosen: str = getattr(config, "CACHE_DIR", "")
    if chosen:
        return [Path(chosen) / name]
    folders = [source_folder / "__pycache__"]
    users = Path(AppDirs(appname="numba", appauthor=False).user_cache_dir)
    if users.is_absolute():  # without a home it would begin with "~"
        folders.append(users / name)
    return folders


def cache_name(source_folder: Path) -> str:
    """The name of the cache of a source folder where caches of several ones lie side by side."""
    return f"{source_folder.name}_{sha1(str(source_folder).encode()).hexdigest()}"


def _digest_of_entry(head: bytes, code: bytes) -> bytes:
    return sha256(head + code).digest()


def pack_entry(sources: bytes, key: bytes, code: bytes) -> bytes:
    """The bytes of an entry."""
    head = sources + key
    return head + _digest_of_entry(head, code) + code


def is_sound(entry: bytes) -> bool:
    """Whether an entry is complete and unchanged.

    >>> entry = pack_entry(bytes(32), bytes(32), b"code")
    >>> is_sound(entry), is_sound(entry[:-1]), is_sound(b"")
    (True, False, False)
    """
    head = entry[: 2 * _DIGEST]
    digest = entry[2 * _DIGEST : _HEAD]
    return digest == _digest_of_entry(head, entry[_HEAD:])


class CodeCache(_Cache):
    """The entries of one function on disk; takes the place of numba's cache of a dispatcher.

    ``sources`` names the sources that the code depends on, and ``target`` what is compiled for
    beside numba's own target.
    """

    def __init__(self, function: Callable[..., Any], sources: str, target: str) -> None:
        path = Path(inspect.getfile(function)).resolve()
        self._function = function
        self._sources = sha256(f"{sources}, {versions()}".encode()).digest()
        self._target = target
        self._folders = cache_folders(path.parent)
        line = function.__code__.co_firstlineno
        python = sys.implementation.cache_tag
        qualname = function.__qualname__.replace("<", "").replace(">", "")
        self._stem = f"{PREFIX}{path.stem}.{qualname}-{line}.{python}"
        self._enabled = True

    @property
    def cache_path(self) -> str:
        """The preferred folder."""
        return str(self._folders[0])

    @property
    def folders(self) -> list[Path]:
        """All folders that may hold entries."""
        return list(self._folders)

    @property
    def sources(self) -> bytes:
        """The digest of sources and versions that an entry must have to be used."""
        return self._sources

    def enable(self) -> None:
        """Use the disk."""
        self._enabled = True

    def disable(self) -> None:
        """Do not use the disk."""
        self._enabled = False

    def flush(self) -> None:
        """Forget all entries of the function."""
        for folder in self._folders:
            for path in folder.glob(f"{self._stem}.*{SUFFIX}"):
                path.unlink(missing_ok=True)

    def load_overload(self, sig: Any, target_context: Any) -> CompileResult | None:
        """The code for a signature; None if there is none, or none that is right."""
        prepare_to_load(target_context)
        result = None
        if self._enabled:
            result = self._loaded(sig, target_context)
        if result is None:
            prepare_to_compile()
        return result

    def _loaded(self, sig: Any, target_context: Any) -> CompileResult | None:
        key = self._key(sig, target_context.codegen())
        name = self._name(key)
        damaged: Path | None = None
        for folder in self._folders:
            path = folder / name
            try:
                entry = path.read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError:  # a directory in the way, or no permission
                damaged = path
                continue
            if not is_sound(entry):
                damaged = path
                continue
            if entry[: 2 * _DIGEST] == self._sources + key:
                parts = loads(entry[_HEAD:])  # numba's own format of compiled code
                result: CompileResult = CompileResult._rebuild(target_context, *parts)
                return result
        if damaged is not None:
            _say_once(
                "damaged",
                f"compiled code in {damaged} is damaged or cannot be read; it is compiled anew",
            )
        return None

    def save_overload(self, sig: Any, result: Any) -> None:
        """Keep the code for a signature, if it can be kept and there is a place to write."""
        dynamic = result.library.has_dynamic_globals or not all(
            loop.can_cache for loop in result.lifted
        )
        if not self._enabled or dynamic:
            return
        key = self._key(sig, result.codegen)
        entry = pack_entry(self._sources, key, dumps(result._reduce()))
        reason = ""
        for folder in self._folders:
            try:
                _write(folder / self._name(key), entry)
            except OSError as error:
                reason = reason or f"{folder}: {error.strerror}"
            else:
                return
        _say_once(
            "memory",
            f"compiled code cannot be kept ({reason}), so it is compiled again in each process; "
            f"set {VARIABLE} to a folder that can be written",
        )

    def _key(self, sig: Any, codegen: Any) -> bytes:
        """A digest of function, signature and target."""
        cells = [cell.cell_contents for cell in self._function.__closure__ or ()]
        bytecode = sha256(self._function.__code__.co_code).hexdigest()
        values = ""
        if cells:
            values = sha256(dumps(cells)).hexdigest()
        target = (codegen.magic_tuple(), self._target)
        text = repr((self._stem, sig, target, bytecode, values))
        return sha256(text.encode()).digest()

    def _name(self, key: bytes) -> str:
        return f"{self._stem}.{key.hex()[:16]}{SUFFIX}"


def _write(path: Path, entry: bytes) -> None:
    """Write an entry so that nobody sees a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex[:16]}.tmp")
    try:
        temporary.write_bytes(entry)
        if path.is_dir():
            path.rmdir()
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


State = Literal["sound", "damaged", "outdated"]

#: Seconds after which a temporary file is taken for one that a killed process has left.
LEFT_BEHIND = 600.0


def inspect_folder(folder: Path, sources: bytes) -> Iterator[tuple[Path, State]]:
    """The files of compiled code in a folder, and the state of each.

    ``sources`` are those of the code in use. Outdated are entries of other sources or versions,
    files of numba's own cache, and temporary files that a killed process has left.
    """
    python = f".{sys.implementation.cache_tag}."
    for path in sorted(folder.glob("*.nb*")):
        if not path.name.startswith(PREFIX):
            yield path, "outdated"
        elif path.suffix == ".tmp":
            if time.time() - path.lstat().st_mtime > LEFT_BEHIND:
                yield path, "outdated"
        elif python in path.name:  # entries of other versions of Python are theirs to judge
            yield path, _state_of(path, sources)


def _state_of(path: Path, sources: bytes) -> State:
    try:
        entry = path.read_bytes()
    except OSError:
        return "damaged"
    if not is_sound(entry):
        return "damaged"
    if entry[:_DIGEST] != sources:
        return "outdated"
    return "sound"
