"""Making a release: versions, locks, distributions and recipes for conda. See docs/releasing.md."""
