"""What document 003 gives of its run: sizes and a time, no measure of its quality."""

#: Epochs of 1,000 events in batches of 10, and the minutes that they took.
EPOCHS = 2_000
ITERATIONS = 200_000
MINUTES = 120.0
#: Milliseconds of an iteration.
ITERATION = 60_000 * MINUTES / ITERATIONS
