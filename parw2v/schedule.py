"""The learning rate over a run."""


def learning_rate(done_words: int, total_words: int, lr: float, lr_min: float) -> float:
    """Linear decay with the raw words trained by all workers, from `lr` to the floor `lr_min`.

    This is word2vec.c's ``alpha * (1 - done/total)``, which it holds at a floor too.
    """
    return max(lr * (1 - done_words / total_words), lr_min)
