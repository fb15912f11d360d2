"""Every error that qgen raises on purpose, as a type with an exit code.

A message says what went wrong, where, and how to fix it, on one line; a second line may hold a
hint. ``exit_code`` is what the command line returns: 2 recipe or option, 3 data, 4 installed
packages, 5 remote service, 6 not enough memory or disk, or a place that cannot be written, 75 try
again.
"""

from __future__ import annotations

from typing import ClassVar


class QgenError(Exception):
    """Base class of all errors that qgen raises on purpose.

    >>> try:
    ...     raise BadOption("steps must be at least 1, not 0")
    ... except QgenError as error:
    ...     print(error, error.exit_code)
    BadOption: steps must be at least 1, not 0 2
    """

    exit_code: ClassVar[int] = 1

    def __str__(self) -> str:
        return f"{type(self).__name__}: {super().__str__()}"


class RecipeError(QgenError):
    """A recipe cannot be read, or contains something that a recipe must not contain."""

    exit_code = 2


class BadOption(RecipeError):
    """A component has no such option, or does not accept this value of it."""


class BadCircuit(RecipeError):
    """A gate, channel, wire or angle is not valid in this circuit."""


class OutputMismatch(RecipeError):
    """A loss reads an output that the generator does not offer, or their spaces differ."""


class NoGradient(RecipeError):
    """A gradient was requested that cannot be computed."""


class Diverged(RecipeError):
    """A loss or a gradient became NaN or infinite; the last good parameters are kept."""


class DataError(QgenError):
    """A file or an array of events is malformed or damaged."""

    exit_code = 3


class CheckpointError(DataError):
    """A checkpoint is damaged, missing, or belongs to another run."""


class PluginError(QgenError):
    """Base class of errors about installed components."""

    exit_code = 4


class UnknownName(PluginError):
    """No installed component has this name."""


class BrokenPlugin(PluginError):
    """The package of a component cannot be imported, or the component breaks its contract."""


class TwoOffers(PluginError):
    """Two installed packages offer a component of the same name."""


class Unsupported(PluginError):
    """A backend or sampler was asked for something that it does not support."""


class RemoteError(QgenError):
    """A remote service failed, refused a request, or took too long."""

    exit_code = 5


class RemotePending(RemoteError):
    """A remote service has not finished in time; its jobs are kept and can be collected later."""

    exit_code = 75


class ResourceRefused(QgenError):
    """There is not enough memory or disk space, or a file cannot be written where it has to be."""

    exit_code = 6


class Busy(QgenError):
    """Another process is using the run folder."""

    exit_code = 75


class Interrupted(QgenError):
    """A signal or the time limit stopped the work after it was saved; it can be resumed."""

    exit_code = 75
