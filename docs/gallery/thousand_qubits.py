# %% [markdown]
# # A thousand qubits
#
# ![Covariances of pairs of qubits, of data and of the trained circuit](thousand_qubits.png)
#
# **Can a circuit of more than a thousand qubits be trained on a laptop?**
#
# The events are positrons in a calorimeter of 504 cells, simulated with Geant4; they come with
# qgen-hep and are a stand-in for measured showers. Two bits say how much energy is in a cell.

# %%
import time

import matplotlib.pyplot as plt
import numpy as np

import qgen_core as qgen
from qgen_core.events import Batch, Words

showers = qgen.dataset("calogan", source="geant4")()
energies = showers.x  # in MeV
bits = np.concatenate([energies > 1, energies > 10], axis=1).astype(np.int8)
data = qgen.Events(bits[:4000])
held_out = 1 - 2 * bits[4000:].astype(int)  # Z is +1 for 0 and -1 for 1
print(f"{len(data)} events of {energies.shape[1]} cells, {bits.shape[1]} bits;", end=" ")
print(len(held_out), "are held out")

# %% [markdown]
# No computer holds the state of so many qubits. The circuits of the generator `iqp` are trained
# without it: their angles turn about one axis only, and so the mean of a product of Z over a few
# qubits is a short sum. The loss compares such means, of sets of qubits drawn anew in each step,
# with those of the events. Every pair of qubits has an angle:

# %%
space = qgen.Space("bits", bits.shape[1])
model = qgen.generator("iqp", backend="statevector", space=space, data=data, seed=1)
loss = qgen.loss("mmd", space=space, reads="correlators")
trainer = qgen.trainer("adam", steps=300, learning_rate=0.002, batch_size=500)
start = time.perf_counter()
trainer.fit(model, data, loss, seed=1)
print(f"{len(model.fields) + len(model.couplings):,} angles")
print(f"{time.perf_counter() - start:.0f} s")

# %% [markdown]
# Covariances of pairs of qubits that were drawn at random, of events that training never saw and
# of the trained circuit. The circuit's are exact; those of the events have an error of their own:

# %%
rng = np.random.default_rng(1)
pairs = np.array([rng.choice(space.width, 2, replace=False) for _ in range(2000)])


def means_of(sets):
    words = Words.of(sets.tolist())
    return model.forward("correlators", Batch(words=words), rng=rng)[0][0]


singles = means_of(np.arange(space.width)[:, None])
found = means_of(pairs) - singles[pairs].prod(axis=1)

centred = held_out - held_out.mean(axis=0)
products = centred[:, pairs[:, 0]] * centred[:, pairs[:, 1]]
expected = products.mean(axis=0)
error = products.std(axis=0) / np.sqrt(len(products))

figure, axes = plt.subplots(figsize=(5, 4.2), layout="constrained")
axes.errorbar(expected, found, xerr=error, fmt=".", markersize=3, linewidth=0.5)
axes.axline((0, 0), slope=1, color="black", linewidth=1)
axes.set_xlabel("covariance of $Z_i$ and $Z_j$, held-out events")
axes.set_ylabel("covariance, trained circuit")
figure.savefig("thousand_qubits.png", dpi=80)
figure

# %%
floor = np.sqrt(np.mean(error**2))
size = np.sqrt(np.mean(expected**2))
difference = np.sqrt(np.mean((found - expected) ** 2))
print(f"rms difference {difference:.3f}, floor {floor:.3f}; rms covariance {size:.3f}")

# %% [markdown]
# The circuit has learned most of the covariances. It is not right: the rms difference is above its
# floor, the error of the held-out events. Most of these covariances are how the bits depend on the
# energy of the positron, which differs between events; the [study of hits](../studies/hits.md)
# takes that out, and compares the circuit with classical models of as many parameters.
#
# To draw all bits of an event takes a quantum device. The bits of a few cells can be drawn here,
# exactly, since all other qubits act on them as random signs:

# %%
cells = [100, 101, 102, 103, 104, 105]
window = model.window(cells, draws=200)
events = window.sample(5000, rng=rng)
hits = (1 - held_out[:, cells]) / 2
for cell, drawn, seen in zip(cells, events.mean(axis=0), hits.mean(axis=0), strict=True):
    print(f"cell {cell}: hit in {drawn:.3f} of the drawn events, {seen:.3f} of those held out")

# %% [markdown]
# A backend of another name, such as `ibm`, runs the same circuit on a device. Being trained
# without one is no advantage over classical models by itself: they are trained as quickly.
