# %% [markdown]
# # A hybrid network in torch
#
# ![Error of the three networks during the training](hybrid_network.png)
#
# **Does a circuit between the layers of a torch network help it to predict the second jet from the
# first?**
#
# The network reads transverse momentum, mass and pseudorapidity of the leading jet, and HT of the
# event, and predicts the transverse momentum of the second jet. The events are simulated by PYTHIA
# 8, and the circuit is simulated as well.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

import qgen_core as qgen
from qgen_torch import QuantumLayer

columns = ["pt", "mass", "eta", "ht", "jet2_pt"]
jets = qgen.dataset("jets", columns=columns, events=8000)().x
numbers = torch.tensor((jets - jets.mean(axis=0)) / jets.std(axis=0), dtype=torch.float32)
x, y = numbers[:, :4], numbers[:, 4:]
train, test = slice(0, 6000), slice(6000, 8000)

# %% [markdown]
# A circuit is a layer like any other. Its twin has tanh layers with exactly as many parameters,
# and the control keeps the circuit as it was drawn at random:

# %%
circuit = qgen.ansatz("strongly-entangling", layers=5, reupload=False)(4, inputs=4)


def core(kind, seed):
    if kind == "network":
        blocks = [nn.Sequential(nn.Linear(4, 4), nn.Tanh()) for _ in range(3)]
        return nn.Sequential(*blocks)
    layer = QuantumLayer(circuit, qgen.pauli_z(4), seed=seed)
    return layer.requires_grad_(kind == "circuit")


def trained(kind, seed):
    torch.manual_seed(seed)
    middle = core(kind, seed)
    model = nn.Sequential(nn.Linear(4, 4), middle, nn.Linear(4, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    errors = []
    for step in range(200):
        rows = torch.randint(6000, (200,))
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x[rows]), y[rows]).backward()
        optimizer.step()
        if step % 10 == 9:
            with torch.no_grad():
                errors.append(nn.functional.mse_loss(model(x[test]), y[test]).item())
    return errors


for kind in ("circuit", "network"):
    print(kind, sum(p.numel() for p in core(kind, 0).parameters()), "parameters")

# %% [markdown]
# Five seeds of each, since networks differ from seed to seed. The error is the mean squared one,
# in units of the variance, on events that were not trained on; a linear fit gives the scale:

# %%
found = {}
for kind in ("circuit", "network", "frozen circuit"):
    found[kind] = np.array([trained(kind, seed) for seed in range(5)])
    last = found[kind][:, -1]
    better = last - found["circuit"][:, -1]
    error = better.std(ddof=1) / np.sqrt(len(better))
    print(f"{kind:15} {last.mean():.4f}, more by {better.mean():.4f} ± {error:.4f}")

with_one = torch.cat([x, torch.ones(len(x), 1)], dim=1)
linear = torch.linalg.lstsq(with_one[train], y[train]).solution
error_of_linear = nn.functional.mse_loss(with_one[test] @ linear, y[test]).item()
print(f"linear fit      {error_of_linear:.4f}")

# %% [markdown]
# The difference is paired, seed by seed, with the error of its mean; less than twice that error
# shows no difference. One from the frozen circuit would come from training the circuit, and one
# from the twin from its being a circuit. Neither would say that a quantum computer is of use here:
# the circuit is so small that it is simulated at once, and the learning rate was tuned for none of
# the three.

# %%
figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
steps = np.arange(10, 201, 10)
for kind, errors in found.items():
    (line,) = axes.plot(steps, errors.mean(axis=0), label=kind)
    axes.fill_between(
        steps, errors.min(axis=0), errors.max(axis=0), color=line.get_color(), alpha=0.2
    )
axes.axhline(error_of_linear, color="black", linestyle=":", label="linear fit")
axes.set(xlabel="step", ylabel="mean squared error, test events")
axes.legend(frameon=False)
figure.savefig("hybrid_network.png", dpi=90)
