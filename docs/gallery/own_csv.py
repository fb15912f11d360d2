# %% [markdown]
# # Your own CSV
#
# ![Mass and score of candidates, generated and given](own_csv.png)
#
# **I have a table of numbers. Which model makes more of them, and how far can I trust it?**
#
# The table here is a stand-in that the first lines make of random numbers: candidates of a
# resonance on a falling background, each with a mass and the score of a classifier. Read your own
# file instead.

# %%
import numpy as np
import pandas as pd

import qgen_core as qgen

rng = np.random.default_rng(4)
signal = pd.DataFrame({"mass": rng.normal(91, 3, 6000), "score": rng.beta(6, 2, 6000)})
background = pd.DataFrame(
    {"mass": 60 + rng.exponential(25, 14_000), "score": rng.beta(2, 4, 14_000)}
)
candidates = pd.concat([signal, background]).query("60 < mass < 120")
candidates.to_csv("candidates.csv", index=False)

# %%
frame = pd.read_csv("candidates.csv")
frame.describe()

# %% [markdown]
# One call trains a quantum circuit Born machine on it, with four bits for each column. What is not
# said, e.g. the circuit, the loss and the trainer, is what usually goes with the model:

# %%
common = {"seed": 1, "metrics": ["wasserstein", "tv", "correlation"], "progress": False}
born = qgen.fit(frame, "qcbm", bits=4, steps=200, run="runs/born", **common)
born.evaluate()

# %% [markdown]
# Is that good? A neural network and a plain normal distribution tell. All read the same data, and
# are compared with the same events, which none of them was trained on:

# %%
network = qgen.fit(frame, "nade", bits=4, run="runs/network", **common)
normal = qgen.fit(
    frame,
    "gaussian",
    encoder="standard",
    loss={"name": "mmd", "reads": "samples"},
    trainer={"name": "adam", "steps": 1, "batch_size": 500},
    run="runs/normal",
    **common,
)
network.evaluate()
normal.evaluate()
qgen.compare([born, network, normal])

# %% [markdown]
# A value at its floor is as good as these samples can show. The Born machine is there or close to
# it, and the normal distribution is far away. The network misses the joint distribution. That says
# nothing for circuits in general: none of the models was tuned.

# %%
figure = born.plot.marginals()
figure.savefig("own_csv.png", dpi=70, bbox_inches="tight")
figure

# %% [markdown]
# The joint distribution shows whether the model knows that the candidates of the resonance have
# high scores:

# %%
born.plot.joint()

# %% [markdown]
# The run is a folder. It holds the table and the recipe, so it can be opened again, and trained
# on:

# %%
again = qgen.load("runs/born")
again.sample(50_000).to_frame().to_csv("generated.csv", index=False)
print(again, again.recipe.tables["generator"], again.recipe.tables["loss"])
