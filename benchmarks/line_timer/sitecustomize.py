"""Times every line that a worker process runs; Python imports this at its start when it is found on PYTHONPATH.

A worker is told by its command line. With ``LINE_TIMES`` set to a file, the seconds spent on each line of the package go
there as JSON after every block, without the time of lines of the package that it calls, and less what reading the clock
costs. With ``PRODUCT_FLOPS`` set to a file, no line is timed but
the floating-point operations of NumPy's matrix products are counted there.
"""

import json
import os
import sys
import time

PACKAGE = f"{os.sep}parw2v{os.sep}"


class LineTimer:
    """Trace functions, see `sys.settrace`; what is outside of any line of the package counts as line 0: waiting."""

    def __init__(self, path: str, cost: float = 0.0) -> None:
        self.path, self.cost = path, cost
        self.spent: dict = {}
        self.calls: dict = {}
        self.current: tuple = ("", "", 0)
        self.depth = 0
        self.last = time.perf_counter()
        self.wanted: dict = {}

    def enter(self, frame, event, arg):
        """For every function that is called; only those of the package are followed."""
        code = frame.f_code
        wanted = self.wanted.get(code)
        if wanted is None:
            name = code.co_filename
            wanted = self.wanted[code] = PACKAGE in name and not name.endswith("pool.py")
        if not wanted:
            return None
        self.depth += 1
        return self.line(frame, event, arg)

    def line(self, frame, event, arg):
        now = time.perf_counter()
        key = self.current
        self.spent[key] = self.spent.get(key, 0.0) + now - self.last
        self.calls[key] = self.calls.get(key, 0) + 1
        if event == "return":
            frame = frame.f_back
            self.depth -= 1
            if not self.depth:
                self.write()
        self.current = (frame.f_code.co_filename, frame.f_code.co_name, frame.f_lineno) if self.depth else ("", "", 0)
        self.last = time.perf_counter()
        return self.line

    def write(self) -> None:
        lines = [[*key, max(seconds - self.cost * self.calls[key], 0.0)] for key, seconds in self.spent.items()]
        with open(f"{self.path}.tmp", "w") as file:
            json.dump(lines, file)
        os.replace(f"{self.path}.tmp", self.path)


def cost_of_a_look() -> float:
    """Seconds that a line which does nothing seems to take."""
    timer = LineTimer(os.devnull)

    def nothing() -> None:
        for _ in range(20_000):
            pass

    timer.wanted[nothing.__code__] = True
    timer.write = lambda: None  # type: ignore[method-assign]
    sys.settrace(timer.enter)
    nothing()
    sys.settrace(None)
    return sum(timer.spent.values()) / sum(timer.calls.values())


def count_products(path: str) -> None:
    """Replace `numpy.matmul` by one that counts, in a mapped file of one int64: 2 operations for each term of a sum."""
    import numpy as np

    product, flops = np.matmul, np.memmap(path, np.int64, "w+", shape=(1,))

    def matmul(a, b, *rest, **options):
        out = product(a, b, *rest, **options)
        flops[0] += 2 * out.size * a.shape[-1]
        return out

    np.matmul = matmul


if "parw2v" in sys.orig_argv[-1] and "-c" in sys.orig_argv:
    if "LINE_TIMES" in os.environ:
        sys.settrace(LineTimer(os.environ["LINE_TIMES"], cost_of_a_look()).enter)
    elif "PRODUCT_FLOPS" in os.environ:
        count_products(os.environ["PRODUCT_FLOPS"])
