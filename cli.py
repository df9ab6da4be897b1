"""Run parw2v from a checkout: ``python cli.py train ...`` is ``parw2v train ...``."""

import sys

from parw2v.__main__ import start

if __name__ == "__main__":
    sys.exit(start())
