"""``python -m parw2v`` is ``parw2v``."""

import sys

from parw2v.commands import main

if __name__ == "__main__":
    sys.exit(main())
