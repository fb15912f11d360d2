# %% [markdown]
# # A plugin of your own
#
# ![Mass of muon pairs from the plugin's model and from the data](own_plugin.png)
#
# **I have an idea for a model. What do I have to write so that it is trained, tested and compared
# like all others?**
#
# The idea here is a Breit-Wigner peak for the mass of muon pairs near the Z boson. The pairs are a
# stand-in: they are simulated without a detector.

# %%
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import qgen_core as qgen

Path("peak.py").write_text('''
import numpy as np
from qgen_core import Generator, Space


class Peak(Generator):
    """A Breit-Wigner peak in one column: its place and the logarithm of its half width."""

    outputs = frozenset({"samples", "log_prob"})

    def __init__(self, *, space: Space, place: float = 0.0) -> None:
        self.space = space
        self.place = np.array([place])
        self.log_width = np.zeros(1)

    def parameters(self):
        return {"place": self.place, "log_width": self.log_width}

    def sample(self, n, condition=None, *, rng):
        return self.place + np.exp(self.log_width) * rng.standard_cauchy((n, self.space.width))

    def forward(self, output, batch, *, rng):
        if output != "log_prob":
            return super().forward(output, batch, rng=rng)
        width = np.exp(self.log_width)
        u = ((batch.x - self.place) / width)[:, 0]
        value = -np.log(np.pi * width * (1 + u**2))

        def pullback(cotangent):
            slope = 2 * u / (1 + u**2)
            place = np.sum(cotangent * slope) / width
            log_width = np.sum(cotangent * (u * slope - 1))
            return {"place": place, "log_width": np.array([log_width])}

        return value, pullback
''')
print(len(Path("peak.py").read_text().splitlines()), "lines")

# %% [markdown]
# That is all of the model: parameters, samples, and a density with its derivative. Is it right?
# The kit of its kind tests shapes, distributions, random numbers, saving, and the derivative
# against differences:

# %%
Path("test_peak.py").write_text("""
import qgen_core as qgen
from peak import Peak
from qgen_core.testing import GeneratorKit


class TestPeak(GeneratorKit):
    def make(self):
        return Peak(space=qgen.Space("reals", 1))
""")
command = [sys.executable, "-m", "pytest", "-q", "--color=no", "test_peak.py"]
print(subprocess.run(command, capture_output=True, text=True).stdout)

# %% [markdown]
# In a package, one line of `pyproject.toml` gives the model its name; [Write a
# plugin](../plugin.md) shows it. In a notebook `register` does, for this session. Then it is a
# model like all others:

# %%
sys.path.insert(0, ".")  # peak.py is in this folder
from peak import Peak

qgen.register("generator", "peak", Peak)
recipe = {
    "seed": 5,
    "dataset": {"name": "zmumu", "window": [80.0, 100.0]},
    "encoder": "standard",
    "generator": "peak",
    "loss": {"name": "nll", "reads": "log_prob"},
    "trainer": {"name": "adam", "learning_rate": 0.02, "steps": 200, "batch_size": 2000},
    "metrics": ["tv"],
}
peak = qgen.train(recipe, run="runs/peak", progress=False)
bits = {"encoder": {"name": "binning", "bits": 4}, "generator": "nade"}
network = qgen.train(recipe | bits, run="runs/network", progress=False)
for run in (peak, network):
    run.evaluate()
print(qgen.compare([peak, network]))

# %% [markdown]
# The parameters have a meaning, and the encoder turns them into GeV:

# %%
model = peak.assembly.generator
places = model.place + np.exp(model.log_width) * np.array([-1, 0, 1])
masses = peak.assembly.encoder.decode(places[:, None], rng=np.random.default_rng(1))
low, place, high = masses[:, 0]
print(f"peak at {place:.2f} GeV, full width {high - low:.2f} GeV")

# %% [markdown]
# The pairs were smeared with a resolution, which a Breit-Wigner distribution does not know: it is
# too wide in the tails. A network that learns 16 bins is the comparison.

# %%
figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
style = {"bins": 60, "range": (80, 100), "density": True}
axes.hist(peak.assembly.parts[0].x[:, 0], color="#d9dfe7", label="muon pairs", **style)
for label, run in (("peak, 2 parameters", peak), ("network of 16 bins", network)):
    axes.hist(run.sample(50_000).x[:, 0], histtype="step", linewidth=1.5, label=label, **style)
axes.set(xlabel="mass of the pair [GeV]", ylabel="density")
axes.legend(frameon=False)
figure.savefig("own_plugin.png", dpi=90)
