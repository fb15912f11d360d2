# %% [markdown]
# # A Born machine on jets
#
# ![Transverse momentum and mass of jets, generated and simulated](born_machine.png)
#
# **Can a circuit of eight qubits learn how jets are distributed, and the relation of their
# transverse momentum with their mass?**
#
# The events are the leading jets of collisions that PYTHIA 8 simulated; they come with qgen-hep
# and are a stand-in for measured jets. The circuit is simulated on this computer.

# %%
import qgen_core as qgen

run = qgen.train(
    {
        "seed": 7,
        "dataset": {"name": "jets", "columns": ["pt", "mass"]},
        "encoder": {"name": "binning", "bits": 4, "window": [[250.0, 600.0], [0.0, 200.0]]},
        "generator": {
            "name": "qcbm",
            "ansatz": {"name": "brick", "layers": 6},
            "scale": 0.1,
        },
        "loss": "js",
        "trainer": {"name": "adam", "learning_rate": 0.01, "steps": 300},
    },
    run="runs/born-machine",
    progress=False,
)
run

# %% [markdown]
# Four bits say in which bin of a feature an event is, so an event is eight bits, and measuring the
# circuit gives an event. The loss is the distance between the probabilities of all outcomes and
# those of the events:

# %%
run.plot.training()

# %% [markdown]
# The events that the trained circuit generates are compared with events that training never saw.
# Beside each distance is its floor, the value that two samples of true events have:

# %%
run.evaluate()

# %%
figure = run.plot.marginals()
figure.savefig("born_machine.png", dpi=80)
figure

# %% [markdown]
# The distances are above their floors, so samples of this size can tell the model from the jets.
# The correlation is there, and is a little too small.

# %%
run.plot.joint()

# %% [markdown]
# Generated events are ordinary arrays, or a table of pandas:

# %%
run.sample(100_000).to_frame().describe()
