"""Files of events in every format, for the tests of the readers."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import h5py
import numpy as np
import pytest

ENDINGS = {"hdf5": ".h5", "hdf5-chunked": ".h5", "npz": ".npz", "npz-packed": ".npz", "csv": ".csv"}
EXTRAS = {"parquet": ("pyarrow", ".parquet"), "root": ("uproot", ".root")}
FORMATS = [
    *ENDINGS,
    *(
        pytest.param(
            name,
            marks=pytest.mark.skipif(
                importlib.util.find_spec(package) is None, reason=f"no {package}"
            ),
        )
        for name, (package, _) in EXTRAS.items()
    ),
]
INSTALLED = [
    *ENDINGS,
    *(name for name, (package, _) in EXTRAS.items() if importlib.util.find_spec(package)),
]


def physics(rows: int = 500, seed: int = 1) -> dict[str, np.ndarray]:
    """Columns of a small sample: falling pT, masses, eta of either sign, an integer count."""
    rng = np.random.default_rng(seed)
    return {
        "pt": (250 + rng.exponential(90, rows)).astype(np.float32),
        "mass": rng.gamma(4, 20, rows),
        "eta": rng.normal(0, 1, rows),
        "njet": rng.integers(2, 6, rows).astype(np.int32),
    }


def plant(file, name: str, columns: dict[str, np.ndarray]) -> None:
    """Write a TTree into an open ROOT file (uproot's item assignment makes an RNTuple)."""
    tree = file.mktree(name, {key: (v.dtype, v.shape[1:]) for key, v in columns.items()})
    tree.extend(dict(columns))


def write(kind: str, folder: Path, columns: dict[str, np.ndarray], name: str = "events") -> Path:
    """Write columns of one number an event in a format."""
    path = folder / (name + (ENDINGS.get(kind) or EXTRAS[kind][1]))
    if kind.startswith("hdf5"):
        options = (
            {"compression": "gzip", "chunks": (64,), "maxshape": (None,)}
            if kind == "hdf5-chunked"
            else {}
        )
        with h5py.File(path, "w") as file:
            for key, values in columns.items():
                file.create_dataset(key, data=values, **options)
    elif kind == "npz":
        np.savez(path, **columns)
    elif kind == "npz-packed":
        np.savez_compressed(path, **columns)
    elif kind == "csv":
        table = np.stack([np.asarray(c, dtype=np.float64) for c in columns.values()], axis=1)
        lines = [",".join(columns), *(",".join(repr(float(v)) for v in row) for row in table)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    elif kind == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as parquet

        parquet.write_table(pa.table(dict(columns)), path, write_page_checksum=True)
    else:
        import uproot

        with uproot.recreate(path) as file:
            plant(file, "events", columns)
    return path
