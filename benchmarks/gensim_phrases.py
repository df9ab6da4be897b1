"""Phrases with gensim, the fastest way it offers; runs in the peers' environment.

``gensim_phrases.py LINES OUT PASSES`` learns the phrases of a text of lines, with gensim's defaults, and writes the text
with them joined. What was learnt is frozen before it is used, which makes joining faster; not in later passes, where a
frozen model splits phrases at every delimiter and scores them by other words than it counted.
"""

import sys
from pathlib import Path

from gensim.models.phrases import Phrases
from gensim.models.word2vec import LineSentence


def run(lines: str, out: str, passes: int) -> None:
    sentences = LineSentence(lines)
    for number in range(passes):
        model = Phrases(sentences)
        sentences = (model if number else model.freeze())[sentences]
    with Path(out).open("w", encoding="utf-8") as file:
        file.writelines(" ".join(sentence) + "\n" for sentence in sentences)


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], int(sys.argv[3]))
