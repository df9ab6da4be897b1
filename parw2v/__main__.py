"""``python -m parw2v`` is ``parw2v``."""

import resource
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
    try:
        from parw2v.commands import main
    except (MemoryError, ImportError) as error:
        limited = resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
        if isinstance(error, ImportError) and not limited:
            raise
        print("parw2v: error: memory ran out while libraries were loaded; raise ulimit -v", file=sys.stderr)
        return 2

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
