# %% [markdown]
# # Calorimeter showers by a flow and by a quantum flow
#
# ![Energies of the layers of showers, generated and simulated](showers.png)
#
# **Does a circuit in a normalising flow make better showers than the flow alone?**
#
# The events are the energies that photons leave in five layers of a calorimeter, simulated with
# Geant4. The detector is an imitation of ATLAS in flat layers, so these are stand-ins for showers
# of the experiment; the circuits are simulated.

# %%
import matplotlib.pyplot as plt
import numpy as np

import qgen_core as qgen

photons = {"name": "calo-photons", "source": "geant4", "condition_columns": []}
recipe = {
    "seed": 1,
    "dataset": {"name": "layer-energies", "of": photons},
    "encoder": {"name": "chain", "encoders": [{"name": "power", "exponent": 0.5}, "standard"]},
    "loss": {"name": "nll", "reads": "log_prob"},
    "trainer": {"name": "torch", "learning_rate": 0.003, "steps": 300, "batch_size": 256},
    "metrics": ["wasserstein", "correlation-loss"],
}

# %% [markdown]
# `inn` is a flow whose maps are computed by networks. `qinn` has a circuit of four qubits inside
# these networks. Two controls go with it: a twin with a network in place of the circuit and as
# many parameters, and the circuit with the parameters that it was drawn with:

# %%
small = {"name": "qinn", "blocks": 2, "wires": 4, "widths": [32]}
models = {
    "flow": {"name": "inn", "blocks": 4, "widths": [32, 32]},
    "quantum flow": small,
    "its twin": {**small, "core": "network"},
    "frozen circuit": {**small, "frozen": True},
}
runs = {}
for name, generator in models.items():
    runs[name] = qgen.train(recipe | {"generator": generator}, run=f"runs/{name}", progress=False)
    runs[name].evaluate()

# %% [markdown]
# All of them have an exact density, so the likelihood of showers that training never saw compares
# them. Showers with an empty layer are left out, where the density of energies has a pole. Beside
# the likelihood is the difference to the quantum flow, shower by shower; above 0 the quantum flow
# is better:

# %%
held_out = runs["flow"].assembly.parts[2]
test = held_out.replace(x=held_out.x[held_out.x.min(axis=1) > 0])
reference = -runs["quantum flow"].log_prob(test)
for name, run in runs.items():
    nll = -run.log_prob(test)
    size = sum(value.size for value in run.assembly.generator.parameters().values())
    worse = nll - reference
    error = worse.std(ddof=1) / np.sqrt(len(worse))
    print(f"{name:14} {size:6} parameters, nll {nll.mean():.3f}, ", end="")
    print(f"worse by {worse.mean():.3f} ± {error:.3f}")

# %% [markdown]
# Here the quantum flow is not better than its twin, and the larger flow without a circuit is
# better than both. The errors are those of the test showers. They leave out that another seed
# gives another model, so one training of each decides nothing. The study
# [`qinn`](../studies/qinn.md) repeats this with five seeds.

# %%
qgen.compare(runs.values())

# %%
figure, rows = plt.subplots(1, 3, figsize=(9, 3), layout="constrained")
for layer, axes in enumerate(rows, start=1):
    energies = test.x[:, layer] / 1000
    style = {"bins": 25, "range": (0, np.quantile(energies, 0.99)), "density": True}
    axes.hist(energies, color="#d9dfe7", label="Geant4", **style)
    for name in ("flow", "quantum flow"):
        made = runs[name].sample(20_000).x[:, layer] / 1000
        axes.hist(made, histtype="step", linewidth=1.5, label=name, **style)
    axes.set(xlabel=f"energy in layer {layer} [GeV]", yticks=[])
rows[0].set_ylabel("density")
rows[-1].legend(frameon=False)
figure.savefig("showers.png", dpi=80)
