from qgen_core.studies import Table


def tables(results):
    return []
