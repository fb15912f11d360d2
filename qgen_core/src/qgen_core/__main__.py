"""``python -m qgen_core``: the command line ``qgen``."""

from qgen_core.cli import main

if __name__ == "__main__":
    main()
