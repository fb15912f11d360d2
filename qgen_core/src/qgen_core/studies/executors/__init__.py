"""Where the cells of a study run.

An executor is built from its options and called with a function that any process can import and
a list of texts. It yields (number, answer) in the order in which tasks finish. Closing the iterator
stops the work, after running trainings have been saved.
"""
