"""Networks that tell two samples apart: two species, or reference and generated events.

torch is the extra ``torch`` of this package, and is imported when a classifier is trained.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from qgen_core.discovery.optional_import import import_optional
from qgen_core.encoders.checks import constant_columns
from qgen_core.errors import BadOption, DataError
from qgen_core.metrics.classifier_auc import area
from qgen_core.support.random_streams import stream
from qgen_core.typing import Array, Floats

#: How the inputs of a network are scaled: each column to mean 0 and deviation 1 over the training
#: events; each event to length 1, which hides its total energy; or not at all.
Scaling = Literal["columns", "events", "none"]
#: What the kept epoch has the best value of, on the validation events.
Criterion = Literal["loss", "accuracy"]
#: The precision of the network's numbers.
Precision = Literal["float32", "float64"]
#: The shares of training and validation events; the rest are test events.
SHARES = (0.6, 0.15)
#: The momentum of a normalisation that takes the last events that it sees for all.
OVER_ALL = 1.0
#: The slope of the activation for negative inputs.
SLOPE = 0.01
#: The most numbers that a network is evaluated on at once, which limits its memory.
MOST_NUMBERS = 2**25


@dataclass(frozen=True)
class Settings:
    """The network and its training.

    After each hidden layer come a leaky ReLU, dropout and batch normalisation; the training is
    Adam on the binary cross-entropy, and the kept epoch is the best one on the validation events.

    Args:
        widths: of the hidden layers.
        scaling: of the inputs.
        dropout: the probability with which a hidden unit is left out in training.
        batch_size: events of both samples in a step.
        epochs: the most passes over the training events.
        patience: the training ends after so many epochs without a better one.
        learning_rate: of Adam.
        batch_norm: whether hidden layers are followed by batch normalisation.
        select: the best epoch is the first of least loss, or of highest accuracy.
        precision: of the network and its inputs.

    Raises BadOption for numbers out of range.

    >>> Settings(widths=(64,)).batch_size
    512
    """

    widths: tuple[int, ...] = (512, 512, 128)
    scaling: Scaling = "columns"
    dropout: float = 0.2
    batch_size: int = 512
    epochs: int = 30
    patience: int = 8
    learning_rate: float = 1e-3
    batch_norm: bool = True
    select: Criterion = "loss"
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        least = min(*self.widths, self.batch_size, self.epochs, self.patience, 1)
        if least < 1 or not self.widths:
            raise BadOption(
                "widths, batch_size, epochs and patience of a classifier are at least 1"
            )
        if not 0 <= self.dropout < 1:
            raise BadOption(f"dropout is a probability below 1, not {self.dropout}")
        if not self.learning_rate > 0:
            raise BadOption(f"learning_rate must be positive, not {self.learning_rate}")


@dataclass(frozen=True)
class Sample:
    """Events (N, F) of one class: to train on, to select the epoch by, and to test on."""

    train: Floats
    validation: Floats
    test: Floats

    @classmethod
    def split(
        cls,
        events: ArrayLike,
        seed: int,
        *,
        name: str = "",
        shares: tuple[float, float] = SHARES,
    ) -> Sample:
        """Events (N, F) in random order, cut by the shares for training and validation.

        The order follows from ``seed`` and ``name``, so that samples of other names are split
        independently. Raises DataError if a part would be empty.

        >>> parts = Sample.split(np.arange(20.0)[:, None], seed=1)
        >>> len(parts.train), len(parts.validation), len(parts.test)
        (12, 3, 5)
        """
        values = np.asarray(events, dtype=np.float64)
        order = stream(seed, f"classifier-split {name}").permutation(len(values))
        first = round(shares[0] * len(values))
        second = first + round(shares[1] * len(values))
        if not 0 < first < second < len(values):
            raise DataError(f"{len(values)} events are too few for three parts of a classifier")
        return cls(values[order[:first]], values[order[first:second]], values[order[second:]])


@dataclass(frozen=True)
class Quality:
    """How well test events are told apart, each with the standard error of the test events alone.

    ``accuracy`` is the mean over both classes of the share that is assigned rightly, for a cut at
    equal probabilities; ``auc`` is the area under the ROC curve. What another training would
    change is not in the errors.
    """

    accuracy: float
    accuracy_error: float
    auc: float
    auc_error: float


class Classifier:
    """A trained network.

    ``losses`` has the training and the validation loss of each epoch, ``kept`` is the number of
    the kept epoch, counted from 0.
    """

    def __init__(self, network: Any, scaler: _Scaler, losses: list[list[float]], kept: int) -> None:
        self._network = network
        self._scaler = scaler
        self.losses = losses
        self.kept = kept

    def scores(self, events: ArrayLike) -> Floats:
        """The logarithm of the odds (N,) that events (N, F) belong to the second class."""
        torch = _torch()
        inputs = torch.from_numpy(self._scaler(np.asarray(events, dtype=np.float64)))
        with torch.no_grad():
            found: Floats = _odds(self._network, inputs).double().numpy()
        return found

    def test(self, first: ArrayLike, second: ArrayLike) -> Quality:
        """How well events (N, F) and (M, F) of the two classes are told apart."""
        scores = (self.scores(first), self.scores(second))
        # An event at equal probabilities counts half.
        right = ((scores[0] < 0) + 0.5 * (scores[0] == 0), (scores[1] > 0) + 0.5 * (scores[1] == 0))
        shares = [float(np.mean(one)) for one in right]
        variances = [float(np.var(one)) / len(one) for one in right]
        every = np.concatenate(scores)
        is_second = np.arange(len(every)) >= len(scores[0])
        auc, variance, _ = area(every, is_second, np.ones(len(every)))
        return Quality(
            accuracy=float(np.mean(shares)),
            accuracy_error=float(np.sqrt(sum(variances)) / 2),
            auc=auc,
            auc_error=float(np.sqrt(variance)),
        )


def train_classifier(
    first: Sample,
    second: Sample,
    settings: Settings | None = None,
    *,
    seed: int,
    build: Callable[[], Any] | None = None,
) -> Classifier:
    """A network that is trained to tell the second sample from the first.

    Both classes count the same, however many events they have. The initial weights, the order of
    the events and the dropout follow from ``seed``; the last bits of the result depend on torch's
    number of threads. Test events are not used. ``build`` makes another network, a torch module
    from inputs (N, F) to (N, 1), instead of that of the settings.

    Raises BrokenPlugin without torch, DataError for samples of different columns and for fewer than
    two training events a class.

    >>> draw = np.random.default_rng(0)
    >>> first = Sample.split(draw.normal(0.0, 1.0, (400, 2)), seed=1)
    >>> second = Sample.split(draw.normal(4.0, 1.0, (400, 2)), seed=2)
    >>> found = train_classifier(first, second, Settings(widths=(8,), batch_size=64), seed=1)
    >>> found.test(first.test, second.test).auc > 0.99
    True
    """
    settings = settings or Settings()
    torch = _torch()
    _check(first, second)
    train = np.concatenate([first.train, second.train])
    scaler = _Scaler.fitted(train, settings)
    training = _Labelled(torch, scaler, first.train, second.train)
    validation = _Labelled(torch, scaler, first.validation, second.validation)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(stream(seed, "classifier").integers(2**62)))
        if build is None:
            network = _network(torch, train.shape[1], settings)
        else:
            network = build().to(getattr(torch, settings.precision))
        return _fit(torch, network, scaler, (training, validation), settings, seed)


def _fit(
    torch: Any,
    network: Any,
    scaler: _Scaler,
    parts: tuple[_Labelled, _Labelled],
    settings: Settings,
    seed: int,
) -> Classifier:
    """Train until the validation loss falls no more, and keep the weights of its least value."""
    training, validation = parts
    optimiser = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    losses: list[list[float]] = []
    kept = 0
    least = np.inf
    best: dict[str, Any] = {}
    for epoch in range(settings.epochs):
        network.train()
        order = torch.from_numpy(stream(seed, "classifier-order", epoch).permutation(len(training)))
        total = 0.0
        batches = _batches(order, settings.batch_size)
        for batch in batches:
            optimiser.zero_grad()
            loss = training.loss(network, batch)
            loss.backward()
            optimiser.step()
            total += float(loss.detach())
        training.settle(network)
        with torch.no_grad():
            held_out = float(validation.loss(network))
            misfit = held_out
            if settings.select == "accuracy":
                misfit = 1 - validation.accuracy(network)
        losses.append([total / len(batches), held_out])
        if epoch == 0 or misfit < least:
            kept = epoch
            least = misfit
            best = {name: value.clone() for name, value in network.state_dict().items()}
        if epoch - kept >= settings.patience:
            break
    network.load_state_dict(best)
    return Classifier(network, scaler, losses, kept)


def _batches(order: Any, size: int) -> Sequence[Any]:
    """The parts of an order without a last one of a single event, which has no spread."""
    parts = list(order.split(size))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts.pop()
    return parts


class _Labelled:
    """Scaled events of both classes with labels 0 and 1, and weights that make classes equal."""

    def __init__(self, torch: Any, scaler: _Scaler, first: Floats, second: Floats) -> None:
        sizes = (len(first), len(second))
        self._loss = torch.nn.functional.binary_cross_entropy_with_logits
        self._normalisation = torch.nn.BatchNorm1d
        self._no_grad = torch.no_grad
        self._inputs = torch.from_numpy(scaler(np.concatenate([first, second])))
        labels = np.repeat(np.array([0.0, 1.0], dtype=scaler.precision), sizes)
        balance = sum(sizes) / (2 * np.array(sizes, dtype=scaler.precision))
        self._labels = torch.from_numpy(labels)
        self._weights = torch.from_numpy(np.repeat(balance.astype(scaler.precision), sizes))

    def __len__(self) -> int:
        return len(self._labels)

    def settle(self, network: Any) -> None:
        """Give the batch normalisation the means and variances over all events, without dropout.

        Running averages over the few steps of a short training lag behind the weights. Networks
        that are built elsewhere keep theirs.
        """
        network.eval()
        normalisations = []
        for layer in network.modules():
            if isinstance(layer, self._normalisation) and layer.momentum == OVER_ALL:
                normalisations.append(layer)
        for layer in normalisations:
            layer.train()
        if normalisations:
            with self._no_grad():
                network(self._inputs)
        network.eval()

    def loss(self, network: Any, batch: Any = slice(None)) -> Any:
        """The mean cross-entropy of some of the events."""
        logits = _odds(network, self._inputs[batch])
        return self._loss(logits, self._labels[batch], self._weights[batch])

    def accuracy(self, network: Any) -> float:
        """The weighted share of events on the right side of equal probabilities."""
        right = (_odds(network, self._inputs) > 0) == (self._labels > 0.5)
        return float((self._weights * right).sum() / self._weights.sum())


@dataclass(frozen=True)
class _Scaler:
    """The scaling of inputs; ``mean`` and ``deviation`` (F,) are those of scaled columns."""

    scaling: Scaling
    precision: Precision
    mean: Floats
    deviation: Floats

    @classmethod
    def fitted(cls, train: Floats, settings: Settings) -> _Scaler:
        constant = constant_columns(train.min(axis=0), train.max(axis=0))
        deviation = np.where(constant, 1.0, train.std(axis=0))
        return cls(settings.scaling, settings.precision, train.mean(axis=0), deviation)

    def __call__(self, events: Floats) -> Array:
        """Scaled events (N, F) in the precision of the network."""
        scaled = events
        if self.scaling == "columns":
            scaled = (events - self.mean) / self.deviation
        elif self.scaling == "events":
            length = np.linalg.norm(events, axis=1, keepdims=True)
            scaled = events / np.where(length > 0, length, 1.0)
        return scaled.astype(self.precision)


def _network(torch: Any, inputs: int, settings: Settings) -> Any:
    layers: list[Any] = []
    for width in settings.widths:
        layers.append(torch.nn.Linear(inputs, width))
        layers.append(torch.nn.LeakyReLU(SLOPE))
        layers.append(torch.nn.Dropout(settings.dropout))
        if settings.batch_norm:
            layers.append(torch.nn.BatchNorm1d(width, momentum=OVER_ALL))
        inputs = width
    layers.append(torch.nn.Linear(inputs, 1))
    return torch.nn.Sequential(*layers).to(getattr(torch, settings.precision))


def _odds(network: Any, inputs: Any) -> Any:
    """The logarithm of the odds (N,) of scaled inputs (N, F), in parts if there are many."""
    at_once = max(1, MOST_NUMBERS // inputs.shape[1])
    if len(inputs) <= at_once:
        return network(inputs)[:, 0]
    parts = [network(part)[:, 0] for part in inputs.split(at_once)]
    return _torch().cat(parts)


def _check(first: Sample, second: Sample) -> None:
    widths = set()
    for sample in (first, second):
        for part in (sample.train, sample.validation, sample.test):
            widths.add(part.shape[1:])
        if len(sample.train) < 2:
            raise DataError("a classifier needs at least two training events of each class")
    if len(widths) != 1:
        raise DataError(f"the samples of a classifier differ in their columns: {sorted(widths)}")


def _torch() -> ModuleType:
    found: ModuleType = import_optional("torch", "the classifier of showers", "qgen-hep[torch]")
    return found
