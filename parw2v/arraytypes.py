"""The kinds of array that pass between modules, named once.

Shapes are written with these letters throughout the package:

==  ==========================================================================
V   words in the vocabulary, most frequent first
D   dimensions of a word vector
R   window radius; word2vec draws the reach of each window from 1..R
K   negative samples for one positive pair
L   words in a run: consecutive kept words, whose windows end with it
B   centre words in a block of a run
N   noise words that a centre word is compared with, shared by a group
S   runs in a batch, so S * L centre words make one gradient step
==  ==========================================================================
"""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float32]
"""float32: parameters, gradients, weights."""

IndexArray: TypeAlias = npt.NDArray[np.intp]
"""Row numbers, in the width that ``np.take`` uses without converting."""

TokenArray: TypeAlias = npt.NDArray[np.int32]
"""An encoded corpus: word ids, the last word of each sentence stored as ``~id``."""

ThresholdArray: TypeAlias = npt.NDArray[np.uint16]
"""Probabilities of words in units of 1/65,536, as thresholds of random numbers of 16 bits."""

CountArray: TypeAlias = npt.NDArray[np.int64]
"""Occurrences of words, or numbers of words."""

AnyArray: TypeAlias = npt.NDArray[Any]
"""An array of whatever a file held, before it is checked."""
