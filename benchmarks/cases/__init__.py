"""One group of cases a file: ``run(context)`` gives its results, ``THREADS`` the threads it may
use.
"""
