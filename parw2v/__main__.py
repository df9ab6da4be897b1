"""``python -m parw2v`` is ``parw2v``."""

import signal
import sys


def start() -> int:
    """Load the commands and run one; returns the exit status.

    Until they are loaded, and after the one that was run has ended, there is nothing that Ctrl-C would have to undo: it
    then ends the process as it would any other, without a traceback.
    """
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interruptible:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from parw2v.commands import main

    try:
        if interruptible:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        return main()
    except KeyboardInterrupt:  # before the command began, or while it told of its end
        return 130
    finally:
        if interruptible:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    sys.exit(start())
