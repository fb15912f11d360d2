"""The metric ``calo-classifier``: networks that tell generated from reference showers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from qgen_core.discovery.optional_import import import_optional
from qgen_core.errors import BadOption
from qgen_core.events import Events
from qgen_core.interfaces import Estimate
from qgen_core.typing import Rng
from qgen_hep.calorimeters.features import Level, network_inputs
from qgen_hep.calorimeters.geometry import Calorimeter
from qgen_hep.calorimeters.showers import Choice, calorimeter_of, showers_of
from qgen_hep.calorimeters.telling_apart import (
    OTHER_SPLIT,
    PROTOCOL,
    SPLITS,
    Split,
    shrunk,
    tell_apart,
)
from qgen_hep.classifier import Precision, Settings

#: What tells the samples apart: a dense network that sees features of a level, or a ResNet.
Judge = Level | Literal["resnet"]


def calo_classifier(
    reference: Events,
    generated: Events,
    *,
    rng: Rng,
    calorimeter: Choice = "ds1-photons",
    threshold: float | None = None,
    levels: tuple[Judge, ...] = ("low", "high"),
    widths: tuple[int, ...] = PROTOCOL.widths,
    epochs: int = PROTOCOL.epochs,
    precision: Precision = PROTOCOL.precision,
) -> Mapping[str, Estimate]:
    """``AUC (level)`` and ``JSD (level)`` of networks that tell showers apart (extra ``torch``).

    A network sees the voxels in units of the incident energy (``low``), the voxels in units of the
    energy of their layer with these energies (``low-normed``), or the high-level features
    (``high``), and has hidden layers of 2048, 2048 and 2048 units with leaky ReLUs. With ``resnet``
    it is a ResNet-18 of convolutions that sees what ``low`` does, for calorimeters whose layers all
    have the same numbers of angles and rings, as data sets 2 and 3. All are in double precision,
    and trained by Adam (2e-4) for 50 epochs in batches of 1000. Each sample is split: 80,000 events
    to train, 20,000 to keep the epoch of highest accuracy and to calibrate its probabilities by
    isotonic regression, and 21,000 to judge (20,800 for pions; 60,000, 20,000 and 20,000 for data
    sets 2 and 3, and for others). AUC is 1/2 if nothing tells the samples apart; JSD is
    (ln 2 - BCE) / ln 2, an estimate of the Jensen-Shannon divergence in bits.

    Half of the reference is kept for the floor: the same between two halves of the reference, of
    the same size. The other half and as many generated events are told apart. If that is less than
    the split asks for, the parts and the batch shrink in proportion, so the number of steps stays;
    the note says so, and what ``widths``, ``epochs`` and ``precision`` change. The protocol takes
    hours on a few processor cores. The errors are those of the judged events; what another training
    would change is not in them, and is 0.002 to 0.006 for the AUC in the CaloChallenge.
    ``calorimeter`` and ``threshold`` are those of ``separation-power``.

    Raises BrokenPlugin without torch, BadOption for bad settings, and DataError for events that are
    not showers in the calorimeter, or too few.

    Source: Krause et al., arXiv:2410.21611.

    >>> import numpy as np
    >>> from qgen_hep.calorimeters import DS1_PHOTONS
    >>> draw = np.random.default_rng(0)
    >>> energy = np.full((200, 1), 65536.0)
    >>> names = {"columns": DS1_PHOTONS.column_names, "condition_columns": ("energy",)}
    >>> showers = Events(draw.exponential(180.0, (200, 368)), energy, **names)
    >>> softer = showers.replace(x=0.05 * showers.x)
    >>> options = {"levels": ("high",), "widths": (64,), "epochs": 20, "precision": "float32"}
    >>> found = calo_classifier(showers, softer, rng=draw, **options)
    >>> found["AUC (high)"].value > 0.9, 0.2 < found["AUC (high)"].floor < 0.8
    (True, True)
    """
    place = calorimeter_of(calorimeter)
    networks = {level: _network(level, place) for level in levels}
    seed = int(rng.integers(2**31))
    asked = SPLITS.get(place.particle, OTHER_SPLIT)
    split, protocol = shrunk(place.particle, min(len(reference) // 2, len(generated)))
    settings = replace(protocol, widths=widths, epochs=epochs, patience=epochs, precision=precision)
    order = rng.permutation(len(reference))
    half = len(order) // 2
    first = showers_of(reference.take(order[:half]), place, threshold=threshold)
    truth = showers_of(reference.take(order[half:]), place, threshold=threshold)
    second = showers_of(generated, place, threshold=threshold)
    note = _note(split, asked, settings)
    judge = partial(tell_apart, split=split, settings=settings, seed=seed)
    found = {}
    for level, (seen, build) in networks.items():
        inputs = network_inputs(first, seen)
        told = judge(inputs, network_inputs(second, seen), build=build)
        floor = judge(inputs, network_inputs(truth, seen), build=build)
        found[f"AUC ({level})"] = Estimate(
            told.auc, told.auc_error, floor.auc, floor.auc_error, note
        )
        found[f"JSD ({level})"] = Estimate(
            told.jsd, told.jsd_error, floor.jsd, floor.jsd_error, note
        )
    return found


def _network(level: Judge, place: Calorimeter) -> tuple[Level, Callable[[], Any] | None]:
    """What a network sees, and how it is built; None: it is the dense one of the settings."""
    if level != "resnet":
        return level, None
    shapes = {layer.shape for layer in place.layers}
    if len(shapes) > 1:
        raise BadOption(
            "the level 'resnet' of calo-classifier needs layers that all have the same numbers of "
            "angles and rings, as those of 'ds2' and 'ds3'; use 'low' instead"
        )
    import_optional("torch", "the classifier of showers", "qgen-hep[torch]")
    from qgen_hep.calorimeters.resnet import ShowerResNet

    (shape,) = shapes
    return "low", partial(ShowerResNet, (len(place.layers), *shape))


def _note(split: Split, asked: Split, settings: Settings) -> str:
    """What is other than in the protocol."""
    parts = "/".join(map(str, split))
    found = [f"{parts} events of each to train/test/judge"]
    if split != asked:
        found[0] += f" instead of {'/'.join(map(str, asked))}"
        found.append(f"batches of {settings.batch_size} instead of {PROTOCOL.batch_size}")
    if settings.widths != PROTOCOL.widths:
        widths = "-".join(map(str, settings.widths))
        found.append(f"hidden layers {widths} instead of {'-'.join(map(str, PROTOCOL.widths))}")
    if settings.epochs != PROTOCOL.epochs:
        found.append(f"{settings.epochs} epochs instead of {PROTOCOL.epochs}")
    if settings.precision != PROTOCOL.precision:
        found.append(f"{settings.precision} instead of {PROTOCOL.precision}")
    return ", ".join(found)
