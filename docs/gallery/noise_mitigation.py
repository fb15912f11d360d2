# %% [markdown]
# # Noise and mitigation
#
# ![Transverse momentum of jets with noise, and with mitigation](noise_mitigation.png)
#
# **What would a quantum device make of a trained Born machine, and how much of its error can be
# undone?**
#
# No device is used. The noise is a stand-in: the calibration of ibmq_guadalupe on one day, in an
# exact simulation. Crosstalk, leakage and drift are not part of it.

# %%
import matplotlib.pyplot as plt
import numpy as np

import qgen_core as qgen
from qgen_core.noise_models.noisy import NoisyBackend

run = qgen.train(
    {
        "seed": 7,
        "dataset": "jets",
        "encoder": {"name": "binning", "bits": 3, "window": [[250.0, 600.0], [0.0, 200.0]]},
        "generator": {"name": "qcbm", "ansatz": {"name": "hardware-efficient", "layers": 4}},
        "loss": "js",
        "trainer": {"name": "adam", "learning_rate": 0.05, "steps": 300},
    },
    run="runs/ideal",
    progress=False,
)
model = run.assembly.generator
print(qgen.draw(model.circuit))

# %% [markdown]
# A backend with noise is made of a backend and a noise model, and mitigation is a backend around
# another one. `readout-mitigated` inverts the errors of the measurement, `zero-noise` runs
# circuits whose gates are repeated, and extrapolates to no noise:

# %%
noisy = NoisyBackend(qgen.backend("density"), qgen.noise("ibm_guadalupe"))
readout = qgen.backend("readout-mitigated", backend=noisy)
both = qgen.backend("zero-noise", backend=readout, scales=[1, 3])
backends = {
    "no noise": qgen.backend("density"),
    "noisy": noisy,
    "readout mitigated": readout,
    "and zero noise": both,
}


# %% [markdown]
# The distance to the ideal distribution is the total variation, the share of events that would
# have to be moved. It is given for exact probabilities, and for 20,000 measurements at each
# setting, ten times:


# %%
def distance(p, q):
    return 0.5 * np.abs(p - q).sum()


circuit = model.circuit
exact = {}
for name, backend in backends.items():
    exact[name] = backend.probabilities(circuit, model.theta)

ideal = exact["no noise"]
angles = circuit.bind(model.theta)
for name, backend in backends.items():
    measured = []
    for seed in range(10):
        shots = qgen.Shots(20_000, np.random.default_rng(seed))
        found = backend.run(circuit, angles, qgen.Probabilities(), shots)
        measured.append(distance(found.ravel(), ideal))
    mean, spread = np.mean(measured), np.std(measured, ddof=1)
    print(f"{name:17} exact {distance(exact[name], ideal):.4f}, ", end="")
    print(f"measured {mean:.4f} ± {spread:.4f}")

# %% [markdown]
# The measured distance without noise is the floor: it comes from the number of measurements alone.
# `zero-noise` measured twice, once for each strength of the noise, so it had twice as many.

# %%
edges = run.assembly.encoder.edges[0]
figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
styles = {"no noise": "k-", "noisy": "r:", "readout mitigated": "b--", "and zero noise": "g-."}
for name, style in styles.items():
    marginal = exact[name].reshape(8, 8).sum(axis=1)
    axes.stairs(marginal, edges, label=name, linestyle=style[1:], color=style[0], linewidth=1.8)
axes.set(xlabel="jet pT [GeV]", ylabel="probability", xlim=edges[[0, -1]])
axes.legend(frameon=False)
figure.savefig("noise_mitigation.png", dpi=90)

# %% [markdown]
# Most of the error comes from the gates. So the inversion of the readout helps little, and the
# extrapolation much, at the price of a larger spread. What a real device does beyond this model is
# not undone.
