"""The hot arithmetic: arrays in, arrays changed, loss out. No file, pipe, clock or settings object comes in here."""

from parw2v.kernels.cbow import CBOW
from parw2v.kernels.skipgram import SkipGram

__all__ = ["CBOW", "KERNELS", "SkipGram"]

KERNELS: dict[str, type[SkipGram] | type[CBOW]] = {"skipgram": SkipGram, "cbow": CBOW}
"""The objectives by the name that settings and model files use."""
