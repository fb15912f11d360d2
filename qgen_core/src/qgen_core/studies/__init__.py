"""Studies: grids of trainings, their results, and the tables and figures made of them.

A study is a list of cells. A cell is a recipe, what to measure of it, and tags by which its
result is asked for. Each result is one file named by the hash of the cell's recipe and
measurements, so a study continues where it stopped, and its results so far can be tabulated and
drawn at any time.
"""

from qgen_core.runs.provenance import package_versions
from qgen_core.studies.cells import Cell, key_of
from qgen_core.studies.executors import Answers, Deaths, Executor, Progress, Work
from qgen_core.studies.jobs import emit, run_share
from qgen_core.studies.outcome import Outcome
from qgen_core.studies.performing import failure
from qgen_core.studies.reproduction import reproduce
from qgen_core.studies.results import Result, Results
from qgen_core.studies.scan import Scan, read_scan
from qgen_core.studies.study import Study, build
from qgen_core.studies.summary import MISSING, NONE, SPACE, Summary, plus_minus
from qgen_core.studies.tables import Table
from qgen_core.studies.trial import Trial
from qgen_core.training.stop_request import stop_trainings

__all__ = [
    "MISSING",
    "NONE",
    "SPACE",
    "Answers",
    "Cell",
    "Deaths",
    "Executor",
    "Outcome",
    "Progress",
    "Result",
    "Results",
    "Scan",
    "Study",
    "Summary",
    "Table",
    "Trial",
    "Work",
    "build",
    "emit",
    "failure",
    "key_of",
    "package_versions",
    "plus_minus",
    "read_scan",
    "reproduce",
    "run_share",
    "stop_trainings",
]
