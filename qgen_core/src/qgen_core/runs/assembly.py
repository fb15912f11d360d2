"""The components of a recipe: built when first needed, and connected to each other."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from qgen_core.discovery import registry
from qgen_core.errors import BrokenPlugin, DataError, RecipeError
from qgen_core.events import Events, Space
from qgen_core.interfaces import Backend, Encoder, Generator, Loss, Trainer
from qgen_core.runs.provenance import fingerprint
from qgen_core.runs.recipes import TABLES, Recipe
from qgen_core.support.random_streams import stream
from qgen_core.training.loop import check_match
from qgen_core.typing import Array


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
