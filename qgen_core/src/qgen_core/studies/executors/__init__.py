"""Where the cells of a study run.

An executor is built from its options and called with a function that any process can import and
a list of texts; it gives (number, answer) in the order in which the answers come. Closing the
iterator stops the work: trainings save first.
"""
