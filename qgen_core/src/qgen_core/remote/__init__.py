"""Devices over a network: calls that end in time, and jobs of which none is paid for twice.

A backend describes its vendor's service as a :class:`RemoteService`. :class:`Jobs` then submits
each batch once: the id of a job is on disk before anything waits for it, and a run that starts
again collects what it had submitted.
"""

from qgen_core.remote.device_backend import DeviceBackend
from qgen_core.remote.faults import Fault, JobEnded, Trace, UnknownJob, bad_result, one_line
from qgen_core.remote.job_records import JobRecord, JobRecords, default_folder
from qgen_core.remote.jobs import Jobs, batch_key
from qgen_core.remote.outcomes import as_measured
from qgen_core.remote.service import Deadline, JobState, RemoteService, retry_pauses

__all__ = [
    "Deadline",
    "DeviceBackend",
    "Fault",
    "JobEnded",
    "JobRecord",
    "JobRecords",
    "JobState",
    "Jobs",
    "RemoteService",
    "Trace",
    "UnknownJob",
    "as_measured",
    "bad_result",
    "batch_key",
    "default_folder",
    "one_line",
    "retry_pauses",
]
