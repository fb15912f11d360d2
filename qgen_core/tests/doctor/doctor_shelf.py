"""Packages for the doctor to look at: one in order, and one for each way to be out of order."""

from __future__ import annotations

from pathlib import Path

HEAD = """
import numpy as np
import qgen_core as qgen
from qgen_core.discovery.optional_import import import_optional

class Fine(qgen.Simulator):
    def __init__(self) -> None:
        self.inner = qgen.backend("statevector")
    def exact(self, circuit, angles, measure):
        return self.inner.exact(circuit, angles, measure)
"""
#: Source of the module, and the entry points, by package.
PACKAGES = {
    "qgen-fine": (HEAD, "[qgen.backends]\nfine = qgen_fine:Fine\n"),
    "qgen-raises": (
        "raise RuntimeError('made for another numpy')\n",
        "[qgen.backends]\nraises = qgen_raises:X\n",
    ),
    "qgen-lacks": (
        HEAD + "class Lacks(Fine):\n    def __init__(self) -> None:\n"
        "        import_optional('no_such_sdk', \"backend 'lacks'\", 'no-such-sdk>=3')\n",
        "[qgen.backends]\nlacks = qgen_lacks:Lacks\n",
    ),
    "qgen-crashes": (
        "import os, sys\nprint('the vendor says hello')\nprint('bus error ahead', "
        "file=sys.stderr)\nos.abort()\n",
        "[qgen.backends]\ncrashes = qgen_crashes:X\n[qgen.losses]\ncrashing-loss = "
        "qgen_crashes:X\n",
    ),
    "qgen-reversed": (
        HEAD + "class Reversed(Fine):\n    def exact(self, circuit, angles, measure):\n"
        "        found = super().exact(circuit, angles, measure)\n"
        "        return found.reshape(-1, *[2] * circuit.num_wires).transpose(0, "
        "*range(circuit.num_wires, 0, -1))"
        ".reshape(found.shape)\n",
        "[qgen.backends]\nreversed = qgen_reversed:Reversed\n",
    ),
    "qgen-slopes": (
        HEAD + "class Slopes(Fine):\n    def exact_forward(self, circuit, angles, measure):\n"
        "        output, pullback = super().exact_forward(circuit, angles, measure)\n"
        "        return output, lambda cotangent: 2 * pullback(cotangent)\n",
        "[qgen.backends]\nslopes = qgen_slopes:Slopes\n",
    ),
    "qgen-remote": (
        HEAD + "class Far(Fine):\n    capabilities = qgen.Capabilities(remote=True, exact=False)\n"
        "    def __init__(self, *, device: str) -> None:\n        raise AssertionError('a "
        "remote backend was built')\n"
        "    @classmethod\n    def missing_account(cls) -> str:\n        return 'no account "
        "of the vendor is saved'\n",
        "[qgen.backends]\nfar = qgen_remote:Far\n",
    ),
    "qgen-asks": (
        HEAD + "class Asks(Fine):\n    def __init__(self, *, device: str) -> None:\n        "
        "super().__init__()\n",
        "[qgen.backends]\nasks = qgen_asks:Asks\n",
    ),
    "qgen-hooked": ("1 / 0\n", "[qgen.hooks]\nhooked = qgen_hooked\n"),
    "qgen-newer": (
        HEAD,
        "[qgen.contract]\n99 = qgen_newer\n[qgen.backends]\nnewer = qgen_newer:Fine\n",
    ),
}


def install(folder: Path, *names: str) -> None:
    """Lay packages into a folder that goes on the path."""
    for name in names:
        source, entry_points = PACKAGES[name]
        package = name.replace("-", "_")
        info = folder / f"{package}-0.1.0.dist-info"
        for path, text in (
            (folder / package / "__init__.py", source),
            (info / "entry_points.txt", entry_points),
            (
                info / "METADATA",
                f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\nRequires-Dist: "
                f"qgen-core>=0.1\n",
            ),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
