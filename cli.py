"""Run parw2v from a checkout: ``python cli.py train ...`` is ``parw2v train ...``."""

import sys

from parw2v.commands import main

if __name__ == "__main__":
    sys.exit(main())
