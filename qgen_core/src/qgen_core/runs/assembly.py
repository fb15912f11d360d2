"""The components of a recipe: built when first needed, and connected to each other."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.discovery import registry
from qgen_core.errors import BrokenPlugin, DataError, RecipeError
from qgen_core.events import Events, Space
from qgen_core.interfaces import Backend, Encoder, Generator, Loss, Model, Sampler, Trainer
from qgen_core.runs.folder import origin_of
from qgen_core.runs.provenance import fingerprint
from qgen_core.runs.reading import Layout, read_reference
from qgen_core.runs.recipes import TABLES, Recipe
from qgen_core.support.parameters import flatten
from qgen_core.support.random_streams import stream
from qgen_core.training.problem import TrainingProblem, check_comparable, check_match
from qgen_core.training.validation import Validation
from qgen_core.typing import Array, Floats

log = logging.getLogger("qgen")

#: A larger share of events that an encoder does not accept is said in a warning.
WARNED_SHARE = 0.01


def level_of(share: float) -> int:
    """The level of a message that says which share of events was dropped.

    >>> level_of(0.5) == logging.WARNING, level_of(0.001) == logging.INFO
    (True, True)
    """
    if share > WARNED_SHARE:
        return logging.WARNING
    return logging.INFO


class Assembly:
    """The components of a recipe, each built at first access.

    With ``saved`` encoder states (arrays by name, for "encoder" and "condition_encoder") the
    encoders are loaded instead of fitted, so the dataset is read only if its events are needed;
    DataError is raised when these do not have the hash ``events_sha256``. ``folder`` is that of the
    run, which may hold the dataset's file.

    >>> from qgen_core.runs.recipes import Recipe
    >>> tables = {"dataset": "none", "encoder": "min-max", "generator": "none", "loss": "none"}
    >>> assembly = Assembly(Recipe.from_dict(tables | {"trainer": "adam"}))
    >>> type(assembly.backend).__name__, assembly.noise
    ('StatevectorBackend', None)
    """

    def __init__(
        self,
        recipe: Recipe,
        saved: Mapping[str, Mapping[str, Array]] | None = None,
        *,
        events_sha256: str | None = None,
        folder: Path | None = None,
    ) -> None:
        self.recipe = recipe
        self.saved = saved
        self.folder = folder
        self.events_sha256 = events_sha256
        self.outside: dict[str, int] = {}
        self.notes: dict[str, tuple[float, str]] = {}

    def _table(self, key: str) -> Any:
        return self.recipe.tables[key]

    @cached_property
    def events(self) -> Events:
        """All events of the dataset."""
        table = self._table("dataset")
        supplied = {"seed": self.recipe.seed, "run_folder": self.folder}
        found = registry.build("dataset", table, supplied)()
        name = table["name"]
        if not isinstance(found, Events):
            raise BrokenPlugin(
                f"dataset {name!r} returned a {type(found).__name__} instead of Events"
            )
        if len(found) == 0:
            raise DataError(f"dataset {name!r} has no events after its cuts")
        if found.condition is not None and "condition_encoder" not in self.recipe.tables:
            raise RecipeError(
                'the dataset has conditions; add a table [condition_encoder], e.g. name = "angle"'
            )
        if self.events_sha256 is not None and fingerprint(found) != self.events_sha256:
            raise DataError(
                f"the events of dataset {name!r} are not those of the training: their SHA-256 "
                "differs from that in run.json; restore the files of the dataset, or give the "
                "events to compare with by --reference"
            )
        return found

    @cached_property
    def parts(self) -> tuple[Events, Events, Events]:
        """Training, validation and test events."""
        return self.events.split(self.recipe.seed, self.recipe.split)

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder of events, fitted on the training events."""
        return self._fitted("encoder")

    @cached_property
    def condition_encoder(self) -> Encoder | None:
        """The encoder of conditions; None for an unconditional model."""
        if "condition_encoder" not in self.recipe.tables:
            return None
        return self._fitted("condition_encoder")

    def _fitted(self, which: str) -> Encoder:
        """The encoder of a table, fitted, or loaded without the names that its state replaces."""
        supplied: dict[str, Any] = {"seed": self.recipe.seed}
        encoder: Encoder
        if self.saved is not None:
            encoder = registry.build("encoder", self._table(which), supplied)
            encoder.load(self.saved[which])
            return encoder
        train = self.parts[0]
        if which == "encoder":
            supplied["column_names"] = train.columns
            supplied["condition_names"] = train.condition_columns
            encoder = registry.build("encoder", self._table(which), supplied)
            return encoder.fit(train.x, train.condition)
        if train.condition is None:
            raise RecipeError("[condition_encoder] is given, but the dataset has no conditions")
        supplied["column_names"] = train.condition_columns
        encoder = registry.build("encoder", self._table(which), supplied)
        return encoder.fit(train.condition)

    @cached_property
    def backend(self) -> Backend:
        """The backend, wrapped in the noise model if the recipe has one."""
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
        """The noise model that the backend is wrapped in, if any."""
        if "noise" not in self.recipe.tables:
            return None
        return getattr(self.backend, "noise", None)

    @cached_property
    def sampler(self) -> Sampler | None:
        """The sampler, the same object for all components that take one; None without a table."""
        if "sampler" not in self.recipe.tables:
            return None
        sampler: Sampler = registry.build(
            "sampler", self._table("sampler"), {"seed": self.recipe.seed}
        )
        return sampler

    @cached_property
    def data(self) -> Events:
        """The encoded training events that the encoder accepts."""
        return self.encoded(self.parts[0], "train")

    @cached_property
    def validation(self) -> Events | None:
        """The encoded validation events that the encoder accepts; None if there are none."""
        if len(self.parts[1]) == 0:
            return None
        return self.encoded(self.parts[1], "validation")

    def accepted(self, events: Events, which: str) -> Events:
        """The events that the encoders accept; the number of others is kept in ``outside[which]``.

        ``notes[which]`` holds their share, and a sentence with the reason, if there are any. Raises
        DataError when none is accepted.
        """
        inside = self.encoder.accepts(events.x, events.condition)
        if self.condition_encoder is not None and events.condition is not None:
            inside &= self.condition_encoder.accepts(events.condition)
        self.outside[which] = len(inside) - int(np.count_nonzero(inside))
        self._note_dropped(events, which, inside)
        if not np.any(inside):
            raise DataError(
                f"all {len(events)} {_named(events, which)} lie outside the encoder's window"
            )
        if np.all(inside):
            return events
        return events.take(inside)

    def _note_dropped(self, events: Events, which: str, inside: NDArray[np.bool_]) -> None:
        """Note how many events are not accepted, and for the sake of which columns.

        A column is to blame for an event that is not accepted if an accepted one with its value in
        this column is not either.
        """
        if np.all(inside) or not np.any(inside):
            return
        dropped = events.x[~inside]
        accepted = int(np.argmax(inside))
        condition: Floats | None = None
        if events.condition is not None:
            condition = np.repeat(events.condition[[accepted]], len(dropped), axis=0)
        blamed = []
        for number, column in enumerate(events.columns):
            trial = np.repeat(events.x[[accepted]], len(dropped), axis=0)
            trial[:, number] = dropped[:, number]
            refused = int(np.sum(~self.encoder.accepts(trial, condition)))
            if refused:
                blamed.append(f"{column} ({refused})")
        share = len(dropped) / len(events)
        reason = ", ".join(blamed) or "several columns together, or their conditions"
        text = (
            f"{len(dropped)} of {len(events)} {_named(events, which)} ({100 * share:.2g} percent) "
            f"were dropped: the encoder does not accept their {reason}"
        )
        self.notes[which] = (share, text)

    def say_dropped(self) -> None:
        """Log which events were dropped and why; more than a hundredth in a warning."""
        origin = self.events.provenance
        if origin.get("dropped", "none") != "none":
            log.info("the dataset dropped %s", origin["dropped"])
        for share, text in self.notes.values():
            log.log(level_of(share), text)

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
        """What a run offers to factories that have a parameter of this name."""
        condition: Space | None = None
        if self.condition_encoder is not None:
            condition = self.condition_encoder.space
        given: dict[str, Any] = {
            "space": self.encoder.space,
            "condition": condition,
            "seed": self.recipe.seed,
            "data": registry.Deferred(lambda: self.data),
            "backend": registry.Deferred(lambda: self.backend),
        }
        if "sampler" in self.recipe.tables:
            given["sampler"] = registry.Deferred(lambda: self.sampler)
        return given

    @cached_property
    def generator(self) -> Generator:
        """The model, with its initial parameters."""
        generator: Generator = registry.build("generator", self._table("generator"), self.given)
        return generator

    @property
    def model(self) -> Model:
        """The generator with its encoders."""
        return Model(self.generator, self.encoder, self.condition_encoder)

    @cached_property
    def loss(self) -> Loss:
        """The loss function."""
        loss: Loss = registry.build("loss", self._table("loss"), self.given)
        return loss

    @cached_property
    def trainer(self) -> Trainer:
        """The trainer, which updates the parameters."""
        trainer: Trainer = registry.build("trainer", self._table("trainer"), self.given)
        return trainer

    def check(self) -> None:
        """Build every component and check that spaces and outputs match, before anything runs."""
        check_match(self.generator, self.data, self.loss)
        check_comparable(self.trainer, self.generator, self.loss)

    def validate(self) -> None:
        """Check all that a training and the evaluation of its run ask for.

        Besides :meth:`check`: the names of all tables, the metrics and the reference, the
        validation events where they are used, and, unless circuits run on a remote backend, one
        value of the loss, with its gradient for trainers that follow gradients.

        Raises what training and evaluation would raise.
        """
        self.providers()
        self.check()
        for metric in self.recipe.metrics or ():
            registry.build("metric", metric)
        given = (self.recipe.evaluation or {}).get("reference")
        if given is not None:
            layout = Layout.of_run(self._table("dataset"), self.described_data())
            self.accepted(read_reference(given, layout, self.recipe.seed), "reference")
        if self.trainer.select is not None:
            Validation(self.trainer, self.validation, self.loss)
        problem = TrainingProblem(
            self.generator,
            self.data,
            self.loss,
            self.recipe.seed,
            self.trainer.steps,
            self.trainer.batch_size,
        )
        batch = problem.batch
        backend = getattr(self.generator, "backend", None)
        if backend is not None and backend.capabilities.remote:
            return
        self.generator.prepare(batch, rng=problem.rng("prepare"))
        if self.trainer.gradient_free or self.trainer.owns_loop:
            problem.values(flatten(self.generator.parameters()))
        else:
            problem.value_and_gradient()

    def providers(self) -> dict[str, str]:
        """The package and version that provide the component of each table."""
        found = {}
        for key, kind in TABLES.items():
            table = self.recipe.tables.get(key)
            if table is not None:
                offer = registry.find(kind, table["name"])
                found[key] = f"{offer.distribution} {offer.version}".strip()
        return found

    def states_of_encoders(self) -> dict[str, dict[str, Array]]:
        """The states of the fitted encoders, for "encoder" and "condition_encoder"."""
        states = {"encoder": self.encoder.state()}
        if self.condition_encoder is not None:
            states["condition_encoder"] = self.condition_encoder.state()
        return states

    def described_data(self) -> dict[str, Any]:
        """The facts of run.json about the events."""
        train_events, validation, test = self.parts
        return {
            **self.events.provenance,
            "columns": list(self.events.columns),
            "units": list(self.events.units),
            "condition_columns": list(self.events.condition_columns),
            "events sha256": fingerprint(self.events),
            "events": {
                "train": len(train_events),
                "validation": len(validation),
                "test": len(test),
            },
            "cuts applied": [cut.as_table() for cut in self.events.cuts],
            "outside the window": dict(self.outside),
        }

    def origin(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """What a checkpoint depends on: recipe, events, encoders' states, providers' versions.

        ``data`` is what :meth:`described_data` returns.
        """
        versions = {f"version.{key}": who for key, who in self.providers().items()}
        return origin_of(self.recipe, data, self.states_of_encoders()) | versions


def _named(events: Events, which: str) -> str:
    """Events in a message: a part of the dataset, or one side of an evaluation."""
    if which in ("reference", "generated"):
        return events.described
    return f"{which} events"
