"""The script ``qgen``: a signal during its imports, which take a second, ends with exit code 75."""

from __future__ import annotations

import os
import signal
from types import FrameType


def leave(number: int, frame: FrameType | None) -> None:
    """End the process, which has not begun its work."""
    name = signal.Signals(number).name
    os.write(2, f"Interrupted: stopped by {name} before the work began\n".encode())
    os._exit(75)


def main() -> None:
    """Run the command line; its arguments are those of the process."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, leave)
    from qgen_core.cli import main as run

    run()
