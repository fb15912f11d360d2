# %% [markdown]
# # Swap the backend
#
# ![Time of a step with each backend](backends.png)
#
# **Does a result depend on the program that simulates the circuit? And how long does each take?**
#
# The times are those of the computer on which this page was run, while it had other work. They say
# nothing about quantum devices: all backends here are simulators.
# [Engine](../engine-benchmarks.md) has careful measurements.

# %%
import time

import matplotlib.pyplot as plt
import numpy as np

import qgen_core as qgen

jets = qgen.dataset("jets", columns=["pt", "mass"], events=10_000)()
encoder = qgen.encoder("binning", bits=3, window=[(250, 600), (0, 200)]).fit(jets.x)
events = qgen.Events(encoder.encode(jets.x))
circuit = qgen.ansatz("brick", layers=2)
print(circuit(6).num_params, "parameters")


# %% [markdown]
# A backend is a name. The same training runs with each of those that are installed, and a hook
# notes when each step ends:


# %%
class Clock:
    def __init__(self):
        self.ends = []

    @qgen.hookimpl
    def on_step(self, record):
        self.ends.append(time.perf_counter())


def train(name):
    model = qgen.generator(
        "qcbm",
        ansatz=circuit,
        backend=qgen.backend(name),
        space=encoder.space,
        scale=0.1,
        seed=7,
    )
    clock = Clock()
    trainer = qgen.trainer("adam", learning_rate=0.05, steps=6)
    history = trainer.fit(model, events, "js", seed=7, hooks=[clock])
    return history.losses[-1], np.median(np.diff(clock.ends))


# %%
names = ["statevector", "lightning", "torch", "density", "pennylane", "aer", "cirq", "qsim"]
losses = {}
seconds = {}
for name in names:
    losses[name], seconds[name] = train(name)
    gradient = qgen.backend(name).capabilities.gradients
    print(f"{name:12} loss {losses[name]:.6f}, {1000 * seconds[name]:8.2f} ms a step, {gradient}")

# %% [markdown]
# The loss is the same to the precision of the numbers: qsim computes in single precision, all
# others in double. The time differs with the way to the gradient. `adjoint` needs one pass back
# through the circuit; `parameter-shift` runs the circuit twice for each angle, as a quantum device
# has to:

# %%
exact = [loss for name, loss in losses.items() if name != "qsim"]
print(f"largest difference in double precision: {np.ptp(exact):.1e}")
print(f"difference of qsim: {abs(losses['qsim'] - losses['statevector']):.1e}")

# %%
figure, axes = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
names.sort(key=seconds.get, reverse=True)
bars = axes.barh(names, [1000 * seconds[name] for name in names], color="#1f5fa8")
axes.bar_label(bars, fmt="%.2f", padding=3)
axes.set(xscale="log", xlabel="milliseconds a training step, 6 qubits, 78 parameters")
axes.margins(x=0.15)
figure.savefig("backends.png", dpi=90)

# %% [markdown]
# In a recipe the swap is one line, `backend = "lightning"`, and on the command line one option,
# `--set backend=lightning`.
