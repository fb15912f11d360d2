"""A run: from a recipe to trained parameters in a folder, and from the folder to events.

The folder holds recipe.toml, run.json (versions, providers, data), the encoders' state, two
checkpoint slots and history.jsonl. Whatever is asked of it later needs no training data.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from qgen_core.discovery import registry
from qgen_core.discovery.entry_points import packages, version_of
from qgen_core.discovery.hooks import manager
from qgen_core.errors import BrokenPlugin, CheckpointError, DataError, QgenError, RecipeError
from qgen_core.events import Events, Space
from qgen_core.interfaces import Backend, Encoder, Generator, History, Loss, Trainer
from qgen_core.runs.lock import RunLock
from qgen_core.runs.recipes import TABLES, Recipe
from qgen_core.support.checkpoint import Checkpoints, first_process, write_durably
from qgen_core.support.random_streams import stream
from qgen_core.training.problem import check_match
from qgen_core.typing import Array

#: Packages of the core that decide about numbers.
DECIDING = ("qgen-core", "numpy", "scipy", "numba", "llvmlite", "h5py", "safetensors")
#: Events are generated in pieces of this size, so memory does not grow with their number.
PIECE = 2**17


class Assembly:
    """The components of a recipe, each built when first asked for.

    With ``saved`` encoder states nothing needs the dataset but what asks for its events.
    """

    def __init__(
        self, recipe: Recipe, saved: Mapping[str, Mapping[str, Array]] | None = None
    ) -> None:
        self.recipe = recipe
        self.saved = saved
        self.outside: dict[str, int] = {}

    def _table(self, key: str) -> Any:
        return self.recipe.tables[key]

    @cached_property
    def events(self) -> Events:
        """All events of the dataset."""
        found = registry.build("dataset", self._table("dataset"), {"seed": self.recipe.seed})()
        if not isinstance(found, Events):
            raise BrokenPlugin(
                f"dataset {self._table('dataset')['name']!r} gave a {type(found).__name__}, not Events"
            )
        if len(found) == 0:
            raise DataError(
                f"dataset {self._table('dataset')['name']!r} has no events after its cuts"
            )
        if found.condition is not None and "condition_encoder" not in self.recipe.tables:
            raise RecipeError(
                'the dataset has conditions; add a table [condition_encoder], e.g. name = "angle"'
            )
        return found

    @cached_property
    def parts(self) -> tuple[Events, Events, Events]:
        """Train, validation and test events."""
        return self.events.split(self.recipe.seed, self.recipe.split)

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder of events, fitted on the training events."""
        encoder: Encoder = registry.build(
            "encoder", self._table("encoder"), {"seed": self.recipe.seed}
        )
        return self._fitted("encoder", encoder)

    @cached_property
    def condition_encoder(self) -> Encoder | None:
        """The encoder of conditions; None for a model without."""
        if "condition_encoder" not in self.recipe.tables:
            return None
        encoder: Encoder = registry.build(
            "encoder", self._table("condition_encoder"), {"seed": self.recipe.seed}
        )
        return self._fitted("condition_encoder", encoder)

    def _fitted(self, which: str, encoder: Encoder) -> Encoder:
        if self.saved is not None:
            encoder.load(self.saved[which])
            return encoder
        train = self.parts[0]
        if which == "encoder":
            return encoder.fit(train.x, train.condition)
        if train.condition is None:
            raise RecipeError("[condition_encoder] is given, but the dataset has no conditions")
        return encoder.fit(train.condition)

    @cached_property
    def backend(self) -> Backend:
        """The backend, wrapped by the noise model if there is one."""
        given = {"seed": self.recipe.seed}
        backend: Backend = registry.build(
            "backend", self.recipe.tables.get("backend", "statevector"), given
        )
        if "noise" in self.recipe.tables:
            from qgen_core.noise_models.noisy import NoisyBackend

            return NoisyBackend(backend, registry.build("noise", self._table("noise"), given))
        return backend

    @property
    def noise(self) -> Any:
        """The noise model that wraps the backend; None without one."""
        return getattr(self.backend, "noise", None) if "noise" in self.recipe.tables else None

    @cached_property
    def data(self) -> Events:
        """The encoded training events that the encoder accepts."""
        return self.encoded(self.parts[0], "train")

    def accepted(self, events: Events, which: str) -> Events:
        """The events that the encoders accept; how many were outside is kept and reported."""
        inside = self.encoder.accepts(events.x, events.condition)
        if self.condition_encoder is not None and events.condition is not None:
            inside &= self.condition_encoder.accepts(events.condition)
        self.outside[which] = int(np.sum(~inside))
        if not np.any(inside):
            raise DataError(f"all {len(events)} {which} events lie outside the encoder's window")
        return events if np.all(inside) else events.take(inside)

    def encoded(self, events: Events, which: str) -> Events:
        """Accepted events, encoded, with encoded conditions and unchanged weights."""
        inside = self.accepted(events, which)
        rng = stream(self.recipe.seed, f"encode-{which}")
        x = self.encoder.encode(inside.x, inside.condition, rng=rng)
        condition = None
        if self.condition_encoder is not None and inside.condition is not None:
            condition = self.condition_encoder.encode(inside.condition, rng=rng)
        return Events(x, condition, inside.weight, provenance=inside.provenance)

    @cached_property
    def given(self) -> dict[str, Any]:
        """What factories may ask for."""
        condition: Space | None = (
            None if self.condition_encoder is None else self.condition_encoder.space
        )
        given: dict[str, Any] = {
            "space": self.encoder.space,
            "condition": condition,
            "seed": self.recipe.seed,
            "data": registry.Deferred(lambda: self.data),
            "backend": registry.Deferred(lambda: self.backend),
        }
        if "sampler" in self.recipe.tables:
            sampler = self._table("sampler")
            given["sampler"] = registry.Deferred(
                lambda: registry.build("sampler", sampler, {"seed": self.recipe.seed})
            )
        return given

    @cached_property
    def generator(self) -> Generator:
        """The model, with its first parameters."""
        generator: Generator = registry.build("generator", self._table("generator"), self.given)
        return generator

    @cached_property
    def loss(self) -> Loss:
        """What is trained on."""
        loss: Loss = registry.build("loss", self._table("loss"), self.given)
        return loss

    @cached_property
    def trainer(self) -> Trainer:
        """What moves the parameters."""
        trainer: Trainer = registry.build("trainer", self._table("trainer"), self.given)
        return trainer

    def check(self) -> None:
        """Build everything and compare spaces and outputs, before anything runs."""
        check_match(self.generator, self.data, self.loss)
        _ = self.trainer

    def providers(self) -> dict[str, str]:
        """Distribution and version behind each table of the recipe."""
        tables = {key: self.recipe.tables.get(key) for key in TABLES}
        found = {}
        for key, table in tables.items():
            if table is not None:
                offer = registry.find(TABLES[key], table["name"])
                found[key] = f"{offer.distribution} {offer.version}".strip()
        return found

    def origin(self) -> dict[str, Any]:
        """What a checkpoint belongs to: recipe, versions and the very events."""
        versions = {f"version.{key}": who for key, who in self.providers().items()}
        return self.recipe.flat() | versions | {"data.sha256": fingerprint(self.events)}


def fingerprint(events: Events) -> str:
    """SHA-256 of the events' numbers."""
    digest = hashlib.sha256()
    for array in (events.x, events.condition, events.weight):
        if array is not None:
            digest.update(str((array.shape, array.dtype.str)).encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Python, platform, the packages that decide about numbers, and the plugins with those that they are made for."""
    own, *plugins = packages().values()
    found = {name: own.get(name) or version_of(name) for name in DECIDING}
    for plugin in plugins:
        found |= plugin
    found = {name: number for name, number in found.items() if number}
    extra: dict[str, str] = {}
    for facts in manager().environment():
        extra |= {str(k): str(v) for k, v in dict(facts).items()}
    return (
        {"python": platform.python_version(), "platform": f"{sys.platform} {platform.machine()}"}
        | found
        | extra
    )


def train(
    recipe: Recipe,
    folder: str | os.PathLike[str],
    *,
    resume: bool = False,
    start_from: str | os.PathLike[str] | None = None,
    every: float = 5.0,
    time_limit: float | None = None,
    hooks: Sequence[object] = (),
) -> History:
    """Train a recipe into a folder.

    ``resume`` goes on from the folder's checkpoint, or starts at step 0 if it has none;
    ``start_from`` takes the first parameters from another run. Raises RecipeError when the
    folder holds a run and is not resumed, Busy when another process works in it. Of the processes
    that torchrun started only the first writes.
    """
    path, writes = Path(folder), first_process()
    if (path / "recipe.toml").exists() and not resume and writes:
        raise RecipeError(
            f"{path} holds a run already; go on with --resume, or choose another folder"
        )
    assembly = Assembly(recipe)
    assembly.check()
    with RunLock(path) if writes else nullcontext():
        checkpoints = Checkpoints(
            path,
            every=every,
            time_limit=time_limit,
            origin=assembly.origin(),
            may_differ=frozenset({"trainer.steps"}),
        )
        if checkpoints.latest() is None and start_from is not None:
            assembly.generator.load(_generator_state(Path(start_from)))
        record = _record(assembly, start_from)
        if writes:
            write_durably(path / "recipe.toml", recipe.to_toml().encode())
            write_durably(path / "run.json", json.dumps(record, indent=2).encode())
            _save_encoders(assembly, path)
        followers = (
            hooks if assembly.noise is None else (*hooks, assembly.noise)
        )  # noise may drift with the steps
        history = assembly.trainer.fit(
            assembly.generator,
            assembly.data,
            assembly.loss,
            seed=recipe.seed,
            hooks=followers,
            run=checkpoints,
        )
        record |= {"stopped": history.stopped, "warnings": history.warnings, "finished": _now()}
        if writes:
            write_durably(path / "run.json", json.dumps(record, indent=2).encode())
    return history


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _record(assembly: Assembly, start_from: Any) -> dict[str, Any]:
    train_events, validation, test = assembly.parts
    described = {"noise": assembly.noise.describe()} if hasattr(assembly.noise, "describe") else {}
    return {
        "versions": versions(),
        "providers": assembly.providers(),
        "model": {
            "parameters": sum(int(np.size(p)) for p in assembly.generator.parameters().values()),
            "space": str(assembly.encoder.space),
            "conditions": list(assembly.events.condition_columns),
        },
        **described,
        "data": {
            **assembly.events.provenance,
            "columns": list(assembly.events.columns),
            "units": list(assembly.events.units),
            "condition_columns": list(assembly.events.condition_columns),
            "events sha256": fingerprint(assembly.events),
            "events": {
                "train": len(train_events),
                "validation": len(validation),
                "test": len(test),
            },
            "outside the window": dict(assembly.outside),
        },
        "from": None if start_from is None else str(start_from),
        "started": _now(),
    }


def _save_encoders(assembly: Assembly, path: Path) -> None:
    arrays: dict[str, Array] = {f"encoder/{k}": v for k, v in assembly.encoder.state().items()}
    if assembly.condition_encoder is not None:
        arrays |= {
            f"condition_encoder/{k}": v for k, v in assembly.condition_encoder.state().items()
        }
    store = Checkpoints(path / "encoders")
    if store.latest() is None:
        store.save(0, arrays, {})


def _generator_state(path: Path) -> dict[str, Array]:
    saved = Checkpoints(path).latest()
    if saved is None:
        raise CheckpointError(
            f"{path} holds no checkpoint; train it first with qgen train --run {path}"
        )
    prefix = "generator/"
    return {
        name[len(prefix) :]: value
        for name, value in saved.arrays.items()
        if name.startswith(prefix)
    }


class Run:
    """A trained run folder: it generates events and knows what it was made of."""

    def __init__(self, folder: str | os.PathLike[str], settings: Sequence[str] = ()) -> None:
        """Raises RecipeError or CheckpointError when the folder holds no trained run."""
        self.path = Path(folder)
        if not (self.path / "recipe.toml").exists():
            raise CheckpointError(f"{self.path} is no run folder: it has no recipe.toml")
        self.recipe = Recipe.read(self.path / "recipe.toml", settings)
        try:
            self.record: dict[str, Any] = json.loads(
                (self.path / "run.json").read_text(encoding="utf-8")
            )
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{self.path / 'run.json'} cannot be read: {error}") from error

    @cached_property
    def assembly(self) -> Assembly:
        """The components with fitted encoders and trained parameters."""
        store = Checkpoints(self.path / "encoders").latest()
        if store is None:
            raise CheckpointError(f"{self.path} holds no fitted encoders; train it first")
        saved: dict[str, dict[str, Array]] = {"encoder": {}, "condition_encoder": {}}
        for name, value in store.arrays.items():
            owner, _, rest = name.partition("/")
            saved.setdefault(owner, {})[rest] = value
        assembly = Assembly(self.recipe, saved)
        assembly.generator.load(_generator_state(self.path))
        return assembly

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the features it generates."""
        return tuple(self.record["data"]["columns"])

    def generate(
        self, n: int, *, seed: int | None = None, condition: Array | None = None
    ) -> Iterator[Events]:
        """n events in pieces. ``condition`` (1, K) or (n, K) holds physics values.

        Without it, a conditional model draws conditions from the dataset's test events.
        Raises DataError for n < 1 or conditions that do not fit.
        """
        if n < 1:
            raise DataError(f"the number of events to generate is at least 1, not {n}")
        seed = self.recipe.seed if seed is None else seed
        conditions = self._conditions(n, condition, seed)
        for piece, start in enumerate(range(0, n, PIECE)):
            size = min(PIECE, n - start)
            rows = None if conditions is None else conditions[start : start + size]
            yield self._piece(size, rows, stream(seed, "generate", piece))

    def _piece(self, size: int, rows: Array | None, rng: np.random.Generator) -> Events:
        assembly = self.assembly
        encoded = None
        if rows is not None and assembly.condition_encoder is not None:
            encoded = assembly.condition_encoder.encode(rows, rng=rng)
        z = assembly.generator.sample(size, encoded, rng=rng)
        check_sample(z, size, assembly.encoder.space, self.recipe.tables["generator"]["name"])
        x = assembly.encoder.decode(z, rows, rng=rng)
        data = self.record["data"]
        return Events(
            x,
            rows,
            columns=self.columns,
            units=tuple(data["units"]),
            condition_columns=tuple(data["condition_columns"]),
            provenance={"kind": "generated", "run": self.path.name},
        )

    def _conditions(self, n: int, condition: Array | None, seed: int) -> Array | None:
        names = self.record["data"]["condition_columns"]
        if not names:
            if condition is not None:
                raise DataError("this model takes no conditions")
            return None
        if condition is None:
            test = self.assembly.parts[2] if len(self.assembly.parts[2]) else self.assembly.parts[0]
            known = self.assembly.accepted(test, "test").condition
            assert known is not None
            return np.asarray(known[stream(seed, "conditions").integers(len(known), size=n)])
        rows = np.atleast_2d(np.asarray(condition, dtype=np.float64))
        if rows.shape not in ((1, len(names)), (n, len(names))):
            raise DataError(
                f"conditions have the shape {rows.shape}; {n} events of {', '.join(names)} need "
                f"(1, {len(names)}) or ({n}, {len(names)})"
            )
        return np.broadcast_to(rows, (n, len(names)))


def check_sample(z: Any, n: int, space: Space, name: str) -> None:
    """Raise BrokenPlugin, with the right name, if a generator's samples break the contract."""
    where = f"generator {name!r} was asked for {n} samples of {space}"
    if not isinstance(z, np.ndarray) or z.shape != (n, space.width):
        got = z.shape if isinstance(z, np.ndarray) else type(z).__name__
        raise BrokenPlugin(f"{where} and gave {got}")
    allowed_values = {"bits": (0, 1), "spins": (-1, 1)}.get(space.kind)
    if allowed_values is not None and not np.all(
        (z == allowed_values[0]) | (z == allowed_values[1])
    ):
        raise BrokenPlugin(
            f"{where} and gave values other than {allowed_values[0]} and {allowed_values[1]}"
        )
    if z.dtype.kind == "f" and not np.all(np.isfinite(z)):
        raise BrokenPlugin(f"{where} and gave values that are not finite")


def write_events(
    pieces: Iterator[Events], path: str | os.PathLike[str], attributes: Mapping[str, str]
) -> int:
    """Stream events into an HDF5 file, one dataset a column; the file appears when complete.

    Returns their number. Raises ResourceRefused when the disk is full.
    """
    import h5py

    from qgen_core.support.checkpoint import refused

    target = Path(path)
    temporary = target.with_name(target.name + ".tmp")
    written = 0
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(temporary, "w") as file:
            for key, value in attributes.items():
                file.attrs[key] = value
            for piece in pieces:
                written = _append(file, piece, written)
        os.replace(temporary, target)
    except QgenError:
        temporary.unlink(missing_ok=True)
        raise
    except (OSError, RuntimeError) as error:
        temporary.unlink(missing_ok=True)
        cause = error if isinstance(error, OSError) else OSError(str(error))
        raise refused(target, 0, cause) from error
    return written


def _append(file: Any, piece: Events, written: int) -> int:
    columns = {name: piece.x[:, i] for i, name in enumerate(piece.columns)}
    if piece.condition is not None:
        columns |= {name: piece.condition[:, i] for i, name in enumerate(piece.condition_columns)}
    units = dict(zip(piece.columns, piece.units, strict=True))
    for name, values in columns.items():
        if name not in file:
            dataset = file.create_dataset(name, (0,), "f8", maxshape=(None,), chunks=(2**16,))
            dataset.attrs["unit"] = units.get(name, "")
        file[name].resize((written + len(piece),))
        file[name][written:] = values
    return written + len(piece)
