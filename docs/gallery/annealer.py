# %% [markdown]
# # An annealer samples a Boltzmann machine
#
# ![Mass and transverse momentum of jets from both samplers](annealer.png)
#
# **Can an annealer take the place of Markov chains in a Boltzmann machine, and how does one notice
# that it does not sample any more?**
#
# The annealer is a stand-in, an emulator in software: it has the graph of a chip with missing
# qubits, errors of what is programmed, and a temperature that is not known to the model. With an
# account of D-Wave, `dwave-qpu` takes its place by name. The jets are simulated.

# %%
import matplotlib.pyplot as plt
import numpy as np

import qgen_core as qgen

recipe = {
    "seed": 3,
    "dataset": {"name": "jets", "columns": ["pt", "mass"]},
    "encoder": {"name": "binning", "bits": 3},
    "generator": {"name": "rbm", "hidden": 12, "couplings": {"name": "zephyr", "size": 3}},
    "sampler": {"name": "gibbs", "sweeps": 20},
    "loss": "mean",
    "metrics": ["wasserstein", "tv", "correlation"],
    "trainer": {"name": "adam", "learning_rate": 0.03, "steps": 150, "batch_size": 2000},
}
gibbs = qgen.train(recipe, run="runs/gibbs", progress=False)

# %% [markdown]
# The machine has the couplings of a chip, so each unit is one qubit. Only the table of the sampler
# changes:

# %%
annealer = {
    "name": "dwave-emulator",
    "size": 3,
    "native": [6, 12],
    "anneal_time": 4.0,
    "reference": "exact",
    "estimate_every": 10,
}
annealed = qgen.train(recipe | {"sampler": annealer}, run="runs/annealer", progress=False)
runs = {"Gibbs sampling": gibbs, "annealer": annealed}
for run in runs.values():
    run.evaluate(generated=run.sample(10_000))
qgen.compare(runs.values())

# %% [markdown]
# It works, and it has a price: the distances of the mass and of both columns together are larger
# than with Gibbs sampling.
# Each programming of the chip has errors, and anneals are short here; how much either costs is not
# measured on this page.

# %% [markdown]
# The model asks for samples at a temperature of its own. The sampler estimates at which inverse
# temperature the annealer works, and programs energies that are as much smaller. In the course of
# the training:

# %%
for record in annealed.history.records[9::35]:
    print(f"step {record['step']}: beta {record['sampler.beta']:.2f}")

# %%
figure, both = plt.subplots(1, 2, figsize=(8.4, 3.4), layout="constrained")
test = gibbs.assembly.parts[2]
for axes, name, (low, high) in zip(both, ("pt", "mass"), ((250, 600), (0, 200))):
    edges = {"bins": 20, "range": (low, high), "density": True}
    axes.hist(test.to_frame()[name], color="#d9dfe7", label="events", **edges)
    for label, run in runs.items():
        generated = run.sample(10_000).to_frame()
        axes.hist(generated[name], histtype="step", label=label, **edges)
    axes.set(xlabel=f"jet {name} [GeV]", yticks=[])
both[1].legend(frameon=False)
figure.savefig("annealer.png", dpi=80)

# %% [markdown]
# An anneal that is too fast freezes before its spins agree with each other. Then two estimates of
# the inverse temperature differ, one by the mean energy and one by each spin given the others:
# `beta_alarm` is 1, and the log has a warning. This is seen where energies are rugged, as with
# random couplings:

# %%
graph = qgen.build("sampler", annealer).native_graph()
rng = np.random.default_rng(1)
energy = qgen.Ising(rng.normal(0, 0.5, 18), rng.normal(0, 1, len(graph.edges)), graph)
for microseconds in (4.0, 0.1):
    sampler = qgen.build("sampler", annealer | {"anneal_time": microseconds})
    _, info = sampler.draw(energy, 2000, rng=rng)
    print(f"anneals of {microseconds} microseconds: alarm {info['beta_alarm']:.0f}, beta ", end="")
    print(f"{info['beta_energy']:.2f} by energy, {info['beta_pseudo_likelihood']:.2f} by spins")
