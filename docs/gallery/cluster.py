# %% [markdown]
# # A study on a cluster
#
# ![Loss and distance for each number of layers](cluster.png)
#
# **How many layers does the circuit need, and how do I ask that of many computers at once?**
#
# The cluster is a stand-in: two workers of Dask on this computer. On a farm the workers are jobs
# of SLURM or HTCondor, and the same study runs on them. The jets are simulated.

# %%
from pathlib import Path

import matplotlib.pyplot as plt

from qgen_core.studies import read_scan, reproduce

Path("layers.toml").write_text("""
repeats = 3
metrics = ["tv"]

[axes]
"generator.ansatz.layers" = [1, 2, 4, 6]

[recipe]
dataset = { name = "jets", events = 20000 }
encoder = { name = "binning", bits = 3, window = [[250, 600], [0, 200]] }
generator = { name = "qcbm", ansatz = { name = "brick" }, scale = 0.1 }
loss = "js"
trainer = { name = "adam", learning_rate = 0.03, steps = 100 }
""")
study = read_scan("layers.toml")

# %% [markdown]
# A study is a recipe, the axes along which it is varied, and the number of seeds. Each training
# goes to a worker that is free:

# %%
outcome = reproduce(study, "runs/layers", executor={"name": "dask", "workers": 2})
print(outcome.tables[0].markdown())

# %% [markdown]
# Results are stored as they come. A study that was stopped continues, a worker that dies costs
# nothing but time, and the table is the same on any number of workers. Here the distance tv
# between generated and test events stops falling while the loss still does:

# %%
figure, both = plt.subplots(1, 2, figsize=(8.4, 3.2), layout="constrained")
for (layers,), found in outcome.results.groups("generator.ansatz.layers").items():
    for axes, name in zip(both, ("loss", "tv")):
        values = [data["numbers"][name] for data in found.values()]
        axes.plot([layers] * len(values), values, "o", color="#1f5fa8")
        axes.set(xlabel="layers", xticks=[1, 2, 4, 6], title=name)
both[0].set(yscale="log")
both[1].set_ylim(bottom=0)
figure.savefig("cluster.png", dpi=80)

# %% [markdown]
# On a farm the same call takes `executor={"name": "dask", "cluster": "slurm", "workers": 50}`. On
# the command line it is `qgen scan layers.toml --executor dask`, or `qgen scan layers.toml --emit
# slurm` for a job array without any service; see [Run studies on a batch farm](../farms.md).
