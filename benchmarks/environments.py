"""Make the environments of the benchmarks: ``python -m benchmarks.environments [--quick] [--folder
.bench]``.

One environment holds qgen and all peers that install together; Catalyst pins jax, and
torchquantum wants Qiskit before 1.0, so they get one each. Everything comes by pip. A peer that
cannot be installed is reported and left out; without qgen's own environment nothing can be
measured.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
REQUIREMENTS = ROOT / "benchmarks" / "requirements"
#: Packages of this repository in the environment of the same name, installed in place.
OWN = {
    "peers": (
        "qgen_core",
        *(
            f"plugins/qgen_{name}"
            for name in ("dwave", "hep", "pennylane", "qiskit", "cirq", "torch")
        ),
    )
}


def make(name: str, folder: Path) -> bool:
    """Make or renew one environment; True when it is there."""
    place = folder / name
    python, stamp = place / "bin" / "python", place / ".installed"
    own = [str(ROOT / path) for path in OWN.get(name, ())]
    wanted = (REQUIREMENTS / f"{name}.txt").read_bytes()
    wanted += b"".join((Path(path) / "pyproject.toml").read_bytes() for path in own)
    digest = hashlib.sha256(wanted).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return True
    print(f"installing the environment {name} into {place}", file=sys.stderr, flush=True)
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    editable = [word for path in own for word in ("-e", path)]
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, "-r", str(REQUIREMENTS / f"{name}.txt"), *editable])
    if done.returncode == 0:
        stamp.write_text(digest)
    return done.returncode == 0


def main() -> int:
    """0 when what is needed is there."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.environments", description="Install qgen's peers."
    )
    parser.add_argument(
        "--quick", action="store_true", help="only the peers that install together with qgen"
    )
    parser.add_argument(
        "--folder", type=Path, default=ROOT / ".bench", help="where the environments are put"
    )
    given = parser.parse_args()
    if not make("peers", given.folder):
        return 1
    for name in () if given.quick else ("catalyst", "torchquantum"):
        if not make(name, given.folder):
            print(
                f"the environment {name} could not be installed; its peer is left out",
                file=sys.stderr,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
