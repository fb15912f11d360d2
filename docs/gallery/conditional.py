# %% [markdown]
# # A conditional model
#
# ![Mass of jets at three values of HT, generated and simulated](conditional.png)
#
# **Can one circuit make jets for any activity of the event, and does their spectrum move as it
# should?**
#
# HT, the sum of all transverse momenta of an event, is the condition: it is given, and the model
# makes transverse momentum and mass of the leading jet. The events are simulated by PYTHIA 8, a
# stand-in for measured ones.

# %%
import matplotlib.pyplot as plt
import numpy as np

import qgen_core as qgen

run = qgen.train(
    {
        "seed": 7,
        "dataset": {"name": "jets", "columns": ["pt", "mass"], "condition_columns": ["ht"]},
        "encoder": {"name": "chain", "encoders": ["ratio", {"name": "binning", "bits": 4}]},
        "condition_encoder": {"name": "angle", "bins": 16},
        "generator": {"name": "qcbm", "ansatz": {"name": "brick", "layers": 6}},
        "loss": {"name": "nll", "reads": "log_prob"},
        "trainer": {"name": "adam", "learning_rate": 0.02, "steps": 200, "batch_size": 5000},
    },
    run="runs/conditional",
    progress=False,
)
run.plot.training()

# %% [markdown]
# HT becomes angles, which rotate the qubits before each layer of the circuit. The loss is the
# likelihood of the events, each given its own HT. Without a condition, `evaluate` draws HT from
# the test events:

# %%
run.evaluate()

# %% [markdown]
# Now the question itself: events at three values of HT, and the test events near each of them. The
# events have a window, so what the model makes outside it is left out. Events are also read into
# bits and back, which is the best that a model of these bits can do.

# %%
encoder = run.assembly.encoder
test = run.assembly.parts[2]
bits = encoder.encode(test.x, test.condition)
decoded = encoder.decode(bits, test.condition, rng=np.random.default_rng(1))
true = test.to_frame()
in_bits = test.replace(x=decoded).to_frame()
window = "250 <= pt < 600 and 0 <= mass < 200"

figure, both = plt.subplots(1, 2, figsize=(8.4, 3.4), layout="constrained")
for value, color in ((550, "#1f5fa8"), (750, "#c2622d"), (1000, "#2b8a57")):
    made = run.sample(20_000, condition=[[value]], seed=1).to_frame().query(window)
    near = abs(true.ht - value) < 25
    best = in_bits[near].query(window)
    for axes, name, limits in zip(both, ("pt", "mass"), ((250, 600), (0, 200))):
        events = true[near][name]
        print(f"HT {value}, mean {name:4}: generated {made[name].mean():5.1f}, ", end="")
        print(f"events {events.mean():5.1f} ± {events.sem():.1f}, ", end="")
        print(f"events in bits {best[name].mean():5.1f}")
        style = {"bins": 20, "range": limits, "density": True, "color": color}
        axes.hist(events, alpha=0.25, **style)
        axes.hist(made[name], histtype="step", label=f"{value}", **style)
        axes.set(xlabel=f"jet {name} [GeV]", ylabel="density")
both[1].legend(title="HT in GeV; line: generated", frameon=False)
figure.savefig("conditional.png", dpi=80)

# %% [markdown]
# The spectra move with HT as those of the events do. The means are too large, and those of events
# in bits are not. So what falls short is the circuit and its training, not its bins.
