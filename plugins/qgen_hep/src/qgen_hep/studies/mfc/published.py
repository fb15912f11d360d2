"""The numbers of document 000."""

from __future__ import annotations

#: Total variation by case, and where there are several by incoming energy in GeV. The subscripts
#: of the two numbers at 125 GeV are damaged in the text at hand; which belongs to which is our
#: reading (docs/readings.md).
TV: dict[str, float] = {"cgan": 0.032, "gan-125": 0.09, "born-125": 0.03}
CONDITIONAL: dict[int, float] = {150: 0.03, 175: 0.07, 200: 0.02}
NOISY: dict[int, float] = {150: 0.12, 175: 0.14, 200: 0.15}
