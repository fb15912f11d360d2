"""Runs: training a recipe into a folder, and generating events from that folder.

The folder holds recipe.toml, run.json (versions, providers, data), the states of the encoders,
two checkpoint slots and history.jsonl. Generating events needs no training data, unless conditions
are to be drawn from it.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from qgen_core.errors import BadOption, BrokenPlugin, CheckpointError, DataError, RecipeError
from qgen_core.events import Events, Space
from qgen_core.interfaces import DrawRecord, History, name_of
from qgen_core.runs.assembly import Assembly
from qgen_core.runs.folder import (
    MAY_DIFFER,
    RunFolder,
    identity,
    save_encoders,
    states_of_encoders,
)
from qgen_core.runs.lock import RunLock
from qgen_core.runs.provenance import fingerprint_of_arrays, versions
from qgen_core.runs.recipes import Recipe
from qgen_core.support.checkpoint import Checkpoints, Saved, first_process
from qgen_core.support.files import write_durably
from qgen_core.support.notebook import ShownInNotebook, preformatted
from qgen_core.support.random_streams import stream
from qgen_core.training.checkpoints import load_sampler
from qgen_core.typing import Array, Floats

log = logging.getLogger("qgen")

#: Events are generated in pieces of at most so many events, so that memory does not grow with their
#: number.
PIECE = 2**17
#: The most bytes of one array of a piece; up to four such arrays exist at a time.
PIECE_BYTES = 2**26
#: Provenance of events whose model draws with a sampler: who drew them, and as which jobs.
SAMPLER_KEYS = ("sampler source", "sampler jobs")
#: Provenance of events of a run that lost a part of its training, or was not trained.
WARNING_KEY = "warning"
#: The entry "timed" of run.json before a training.
NOT_TIMED = {"steps": 0, "processor seconds": 0.0}
#: Fields of the recipe that a trained model depends on.
FIXED = ("seed", "split", "encoder.*", "condition_encoder.*", "generator.name", "generator.ansatz*")


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
    """Train a recipe in a run folder and return its history.

    ``resume`` continues from the checkpoint in the folder, or starts at step 0 if there is none.
    ``start_from`` is a run folder whose parameters are the initial ones. A checkpoint is written
    every ``every`` seconds; after ``time_limit`` seconds training stops at a checkpoint. ``hooks``
    are objects with hook methods such as ``on_step``. Of the processes that torchrun starts only
    the first one writes.

    Raises RecipeError when the folder already holds a run and ``resume`` is false, or more steps
    are done than the recipe has, Busy when another process uses it, CheckpointError when its
    checkpoint belongs to another recipe.

    >>> import tempfile
    >>> import qgen_core as qgen
    >>> events = qgen.Events(np.linspace(0, 1, 64)[:, None] ** 2, columns=("x",))
    >>> qgen.register("dataset", "doctest-to-train", lambda: events)
    >>> recipe = Recipe.parse('''
    ... dataset = "doctest-to-train"
    ... encoder = { name = "binning", bits = 2 }
    ... generator = { name = "qcbm", ansatz = "brick" }
    ... loss = "js"
    ... trainer = { name = "adam", steps = 2 }
    ... ''')
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     history = train(recipe, f"{folder}/run")
    >>> history.stopped, len(history.records)
    ('all 2 steps done', 2)
    """
    _check_seconds("the time between checkpoints", every)
    if time_limit is not None:
        _check_seconds("the time limit", time_limit)
    path = Path(folder)
    writes = first_process()
    if (path / "recipe.toml").exists() and not resume and writes:
        raise RecipeError(
            f"{path} already holds a run; continue it with --resume, or choose another folder"
        )
    assembly = Assembly(recipe, _encoders_to_resume(path, recipe), folder=path)
    assembly.check()
    with RunLock(path) if writes else nullcontext():
        earlier: dict[str, Any] = {}
        if (path / "run.json").exists():
            earlier = RunFolder.read_record(path)
        start = _Start.of(start_from, earlier, Checkpoints(path).empty)
        data = assembly.described_data()
        origin = assembly.origin(data) | {"start.sha256": start.sha256}
        checkpoints = Checkpoints(
            path, every=every, time_limit=time_limit, origin=origin, may_differ=MAY_DIFFER
        )
        done = 0
        saved = checkpoints.latest()
        if saved is not None:
            done = saved.step
            _check_steps(done, assembly.trainer.steps)
        if start.state is not None:
            assembly.generator.load(start.state)
        record = _record(assembly, data) | {
            "identity": identity(origin),
            "from": start.folder,
            "start sha256": start.sha256,
            "started": earlier.get("started", _now()),
            "timed": NOT_TIMED,
        }
        if done:
            record["timed"] = earlier.get("timed", NOT_TIMED)
        if writes:
            write_durably(path / "recipe.toml", recipe.to_toml().encode())
            RunFolder.write_record(path, record)
            save_encoders(path, assembly.states_of_encoders())
        followers = list(hooks)
        if assembly.noise is not None:
            followers.append(assembly.noise)  # a noise model may drift with the training steps
        validation = None
        if assembly.trainer.select is not None:
            validation = assembly.validation
        begin = time.process_time()
        history = assembly.trainer.fit(
            assembly.generator,
            assembly.data,
            assembly.loss,
            seed=recipe.seed,
            hooks=followers,
            run=checkpoints,
            validation=validation,
        )
        seconds = time.process_time() - begin
        record |= {
            "stopped": history.stopped,
            "warnings": history.warnings,
            "finished": _now(),
        }
        if assembly.generator.sampler is not None:
            record["sampler"] = {"sources": history.draws.sources, "jobs": history.draws.jobs}
        if writes:
            steps = _steps_done(checkpoints)
            timed = _timed(record["timed"], steps - done, seconds)
            RunFolder.write_record(path, record | {"steps done": steps, "timed": timed})
            assembly.say_dropped()
    return history


def _steps_done(checkpoints: Checkpoints) -> int:
    note = checkpoints.note()
    assert note is not None, "a training ends with a checkpoint"
    return note.step


def _encoders_to_resume(path: Path, recipe: Recipe) -> dict[str, dict[str, Array]] | None:
    """The states of the encoders that an interrupted training was encoded with.

    Encoders that are fitted anew on another processor may differ in the last bits.
    """
    if Checkpoints(path).empty:
        return None
    try:
        tables = Recipe.read(path / "recipe.toml").tables
        states = states_of_encoders(path)
    except (RecipeError, CheckpointError):
        return None  # they are fitted anew, and compared with the checkpoint
    for which in ("encoder", "condition_encoder"):
        if tables.get(which) != recipe.tables.get(which):
            return None  # the checkpoint refuses this, naming the field
    return states


@dataclass(frozen=True)
class _Start:
    """The parameters that a training begins with, if they are those of another run.

    ``state`` is None when there is nothing to load: the training has a checkpoint, or begins with
    new parameters.
    """

    folder: str | None
    sha256: str | None
    state: Mapping[str, Array] | None

    @classmethod
    def of(
        cls, start_from: str | os.PathLike[str] | None, earlier: Mapping[str, Any], begins: bool
    ) -> _Start:
        """From the option, or, where it is not given, from run.json of an interrupted training."""
        folder = earlier.get("from")
        if start_from is not None:
            folder = str(start_from)
        elif not begins:
            return cls(folder, earlier.get("start sha256"), None)
        if folder is None:
            return cls(None, None, None)
        state = _generator_state(RunFolder(folder).checkpoint())
        sha256 = fingerprint_of_arrays(state)
        if not begins:
            return cls(folder, sha256, None)
        return cls(folder, sha256, state)


def _check_seconds(what: str, value: float) -> None:
    if not 0 <= value < np.inf:
        raise BadOption(f"{what} is a number of seconds, at least 0, not {value}")


def _check_steps(done: int, steps: int) -> None:
    if done > steps:
        raise RecipeError(
            f"trainer.steps is {steps}, and {done} steps are done: nothing is left to train; "
            f"resume with at least {done} steps, or train in another folder"
        )


def _timed(before: Mapping[str, float], steps: int, seconds: float) -> Mapping[str, float]:
    """The steps of all parts of the training that came to an end, and their processor seconds.

    A part that is killed loses its time, so there may be more steps than are timed.
    """
    if not steps:
        return before
    return {
        "steps": before["steps"] + steps,
        "processor seconds": before["processor seconds"] + seconds,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _record(assembly: Assembly, data: Mapping[str, Any]) -> dict[str, Any]:
    described = {}
    if hasattr(assembly.noise, "describe"):
        described["noise"] = assembly.noise.describe()
    parameters = 0
    for values in assembly.generator.parameters().values():
        parameters += int(np.size(values))
    return {
        "versions": versions(),
        "providers": assembly.providers(),
        "model": {
            "parameters": parameters,
            "space": str(assembly.encoder.space),
            "conditions": list(assembly.events.condition_columns),
        },
        **described,
        "data": dict(data),
    }


def _generator_state(saved: Saved) -> dict[str, Array]:
    prefix = "generator/"
    return {
        name[len(prefix) :]: value
        for name, value in saved.arrays.items()
        if name.startswith(prefix)
    }


class Run(ShownInNotebook):
    """A trained run folder, to generate events from and to read its record.

    ``settings`` are changes of the recipe, ``key.sub=value``; ``untrained`` allows a model whose
    training did not begin; ``record`` is the content of run.json.

    >>> import tempfile
    >>> import qgen_core as qgen
    >>> events = qgen.Events(np.linspace(0, 1, 64)[:, None] ** 2, columns=("x",))
    >>> qgen.register("dataset", "doctest-to-generate", lambda: events)
    >>> recipe = Recipe.parse('''
    ... dataset = "doctest-to-generate"
    ... encoder = { name = "binning", bits = 2 }
    ... generator = { name = "qcbm", ansatz = "brick" }
    ... loss = "js"
    ... trainer = { name = "adam", steps = 2 }
    ... ''')
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = train(recipe, f"{folder}/run")
    ...     run = Run(f"{folder}/run")
    ...     (generated,) = run.generate(5, seed=1)
    >>> generated.x.shape, generated.columns, run.record["data"]["events"]["train"]
    ((5, 1), ('x',), 51)
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        settings: Sequence[str] = (),
        *,
        untrained: bool = False,
    ) -> None:
        """Read the folder.

        Raises RecipeError for a damaged recipe and for settings that a trained model cannot have,
        CheckpointError when there is no run in the folder, its files are damaged or belong to
        different runs, or the model is untrained.
        """
        self.folder = RunFolder(folder)
        self.path = self.folder.path
        self.record = self.folder.record
        self.recipe = self.folder.recipe
        if settings:
            self.recipe = self.folder.recipe.changed(settings)
            _check_settings(self.folder.recipe, self.recipe)
        self.untrained = untrained

    def __repr__(self) -> str:
        tables = self.recipe.tables
        what = f"{tables['generator']['name']} on {tables['dataset']['name']}"
        return f"Run({str(self.path)!r}, {what})"

    def _details_html(self) -> str:
        return preformatted(self.recipe.to_toml())

    @cached_property
    def warnings(self) -> list[str]:
        """What users of the generated events have to know: a part of the training is lost."""
        found = list(self.folder.warnings)
        if self.folder.note is not None and self.folder.note.step == 0:
            found.append("the model is untrained: it has the parameters of step 0")
        return found

    @cached_property
    def assembly(self) -> Assembly:
        """The components with fitted encoders and trained parameters."""
        trained = self.folder.checkpoint(untrained=self.untrained)
        for text in self.warnings:
            log.warning("%s: %s", self.path, text)
        expected = None
        if self.recipe.tables["dataset"] == self.folder.recipe.tables["dataset"]:
            expected = self.record["data"]["events sha256"]
        assembly = Assembly(
            self.recipe, self.folder.encoders, events_sha256=expected, folder=self.path
        )
        assembly.generator.load(_generator_state(trained))
        sampler = assembly.generator.sampler
        if sampler is not None and not load_sampler(sampler, trained):
            log.warning(
                "%s was trained with sampler %r; %r begins without a state",
                self.path,
                trained.meta.get("sampler"),
                name_of(sampler),
            )
        return assembly

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the generated features."""
        return tuple(self.record["data"]["columns"])

    def generate(
        self, n: int, *, seed: int | None = None, condition: Array | None = None
    ) -> Iterator[Events]:
        """Generate n events, in pieces of at most ``PIECE`` events and ``PIECE_BYTES`` bytes.

        ``condition`` (1, K) or (n, K) holds conditions in physical units. Without it a conditional
        model draws conditions from the test events of its dataset, by their weights. ``seed`` is
        that of the recipe by default; the same seed gives the same events. Raises DataError for
        n < 1 and for conditions of a wrong shape.
        """
        if n < 1:
            raise DataError(f"the number of events to generate must be at least 1, not {n}")
        if seed is None:
            seed = self.recipe.seed
        conditions = self._conditions(n, condition, seed)
        width = max(self.assembly.encoder.space.width, len(self.columns))
        piece_size = max(min(PIECE, PIECE_BYTES // (8 * width)), 1)
        drawn = DrawRecord()
        for piece, start in enumerate(range(0, n, piece_size)):
            size = min(piece_size, n - start)
            rows = None
            if conditions is not None:
                rows = conditions[start : start + size]
            yield self._piece(size, rows, stream(seed, "generate", piece), drawn)

    def log_prob(self, events: Events, *, seed: int | None = None) -> Floats:
        """The log density of each event (N,) in the units of its columns, given its condition.

        ``seed`` is that of the recipe by default; it matters for encoders that draw random numbers.
        Raises Unsupported if the model has no density (see
        :meth:`qgen_core.interfaces.Model.log_prob`).
        """
        if seed is None:
            seed = self.recipe.seed
        return self.assembly.model.log_prob(events, rng=stream(seed, "log-prob"))

    def _piece(
        self, size: int, rows: Array | None, rng: np.random.Generator, drawn: DrawRecord
    ) -> Events:
        """Events whose provenance names the samplers of this piece and of those before."""
        assembly = self.assembly
        encoded = None
        if rows is not None and assembly.condition_encoder is not None:
            encoded = assembly.condition_encoder.encode(rows, rng=rng)
        z = assembly.generator.sample(size, encoded, rng=rng)
        check_sample(z, size, assembly.encoder.space, self.recipe.tables["generator"]["name"])
        x = assembly.encoder.decode(z, rows, rng=rng)
        data = self.record["data"]
        provenance = {"kind": "generated", "run": self.path.name}
        if self.warnings:
            provenance[WARNING_KEY] = "; ".join(self.warnings)
        if assembly.generator.sampler is not None:
            record = assembly.generator.sampler.take_record()
            drawn.merge(record.sources, record.jobs)
            for key, names in zip(SAMPLER_KEYS, (drawn.sources, drawn.jobs), strict=True):
                if names:
                    provenance[key] = "; ".join(names)
        return Events(
            x,
            rows,
            columns=self.columns,
            units=tuple(data["units"]),
            condition_columns=tuple(data["condition_columns"]),
            provenance=provenance,
        )

    def _conditions(self, n: int, condition: Array | None, seed: int) -> Array | None:
        names = self.record["data"]["condition_columns"]
        if not names:
            if condition is not None:
                raise DataError("this model takes no conditions")
            return None
        if condition is None:
            training, _, test = self.assembly.parts
            source = test if len(test) else training
            return drawn_conditions(self.assembly.accepted(source, "test"), n, seed)
        rows = np.atleast_2d(np.asarray(condition, dtype=np.float64))
        if rows.shape not in ((1, len(names)), (n, len(names))):
            raise DataError(
                f"conditions have the shape {rows.shape}; {n} events of {', '.join(names)} need "
                f"(1, {len(names)}) or ({n}, {len(names)})"
            )
        return np.broadcast_to(rows, (n, len(names)))


def drawn_conditions(events: Events, n: int, seed: int) -> Array:
    """Conditions (n, K) of events that are drawn with replacement in proportion to their weights.

    Where weights are negative they are left out of account, with a warning.

    >>> condition = np.array([[50.0], [75.0]])
    >>> events = Events(np.zeros((2, 1)), condition, weight=np.array([0.0, 1.0]))
    >>> drawn_conditions(events, 3, seed=1).ravel().tolist()
    [75.0, 75.0, 75.0]
    """
    assert events.condition is not None
    rng = stream(seed, "conditions")
    weight = events.weight
    if weight is not None and np.min(weight) < 0:
        log.warning(
            "some weights of the %s are negative: conditions are drawn from them without weights",
            events.described,
        )
        weight = None
    if weight is None:
        return np.asarray(events.condition[rng.integers(len(events), size=n)])
    drawn = rng.choice(len(events), size=n, p=weight / weight.sum())
    return np.asarray(events.condition[drawn])


def _check_settings(trained: Recipe, changed: Recipe) -> None:
    """Raise RecipeError for changes that the trained parameters and encoders do not fit."""
    before = trained.flat()
    after = changed.flat()
    for name in sorted(before | after):
        fixed = any(fnmatchcase(name, pattern) for pattern in FIXED)
        if fixed and before.get(name) != after.get(name):
            raise RecipeError(
                f"--set {name}: the model was trained with {before.get(name)!r}, not "
                f"{after.get(name)!r}; train another run to change it"
            )


def check_sample(z: Any, n: int, space: Space, name: str) -> None:
    """Raise BrokenPlugin, naming the generator, if samples ``z`` violate the contract.

    The contract: an array (n, width) of the values that ``space`` allows, all finite.

    >>> check_sample(np.array([[0, 1], [1, 1]]), 2, Space("bits", 2), "my-generator")
    """
    where = f"generator {name!r} was asked for {n} samples of {space}"
    if not isinstance(z, np.ndarray):
        raise BrokenPlugin(f"{where} and gave {type(z).__name__}")
    if z.shape != (n, space.width):
        raise BrokenPlugin(f"{where} and gave {z.shape}")
    allowed_values = {"bits": (0, 1), "spins": (-1, 1)}.get(space.kind)
    if allowed_values is not None and not np.all(
        (z == allowed_values[0]) | (z == allowed_values[1])
    ):
        raise BrokenPlugin(
            f"{where} and gave values other than {allowed_values[0]} and {allowed_values[1]}"
        )
    if z.dtype.kind == "f" and not np.all(np.isfinite(z)):
        raise BrokenPlugin(f"{where} and gave values that are not finite")
