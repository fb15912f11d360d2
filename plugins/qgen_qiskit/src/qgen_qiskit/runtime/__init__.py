"""IBM Runtime: the backend ``ibm``, what it knows of its jobs, and how it talks to the service."""
