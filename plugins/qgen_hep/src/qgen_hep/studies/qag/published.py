"""The numbers of document 004."""

from __future__ import annotations

#: The final MMD of the generated events against the test set, and its error. Kernel, bandwidth,
#: estimator, and whether it is squared are not given.
MMD = 2.41e-3
MMD_ERROR = 0.14e-3
