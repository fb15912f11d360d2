"""IBM Runtime: the backend ``ibm``, its jobs, and calls to the service."""
