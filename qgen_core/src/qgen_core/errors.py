"""Every failure a user can cause or meet, as a type with an exit code.

One rule for the message: what went wrong, where, and how to mend it, on one line
(a second line may hold a hint). ``exit_code`` is what the command line returns:
2 recipe, 3 data, 4 plugin, 5 remote service, 6 resource refused, 75 try again.
"""

from __future__ import annotations

from typing import ClassVar


class QgenError(Exception):
    """Base of all errors that qgen raises on purpose."""

    exit_code: ClassVar[int] = 1

    def __str__(self) -> str:
        return f"{type(self).__name__}: {super().__str__()}"


class RecipeError(QgenError):
    """A recipe that cannot be read or holds what no recipe may hold."""

    exit_code = 2


class BadOption(RecipeError):
    """An option that a factory does not take, or a value it cannot take."""


class BadCircuit(RecipeError):
    """A gate, channel, wire or angle that makes no circuit."""


class OutputMismatch(RecipeError):
    """A loss reads an output that the generator does not offer, or spaces differ."""


class NoGradient(RecipeError):
    """A gradient was asked of something that has none."""


class Diverged(RecipeError):
    """A loss or a gradient became NaN or infinite; the last good state is kept."""


class DataError(QgenError):
    """A file or an array of events that is not what it should be."""

    exit_code = 3


class CheckpointError(DataError):
    """A checkpoint that is damaged, missing, or belongs to another run."""


class PluginError(QgenError):
    """Something about installed components."""

    exit_code = 4


class UnknownName(PluginError):
    """No installed component has this name."""


class BrokenPlugin(PluginError):
    """A component whose package cannot be imported, or that breaks its contract."""


class TwoOffers(PluginError):
    """Two installed packages offer the same name."""


class Unsupported(PluginError):
    """A backend or sampler was asked for something its capabilities exclude."""


class RemoteError(QgenError):
    """A remote service failed, refused or took too long."""

    exit_code = 5


class RemotePending(RemoteError):
    """A remote service has not answered or finished in time; what was submitted is kept, to be collected later."""

    exit_code = 75


class ResourceRefused(QgenError):
    """Memory or disk would not suffice; nothing was started."""

    exit_code = 6


class Busy(QgenError):
    """Another process holds the run folder."""

    exit_code = 75


class Interrupted(QgenError):
    """A signal stopped the work after it was saved; it can be resumed."""

    exit_code = 75
