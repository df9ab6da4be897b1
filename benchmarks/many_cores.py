"""What becomes of accuracy with more workers than this machine has cores, and what else would 64 of them meet?

``python benchmarks/many_cores.py --corpus FILE [--workers 1 4 16 64] [--damping following own none] [--batch_size 336]
[--lr 0.025] [--analogies FILE] [--similarity FILE FILE] [--quick]``

P workers are simulated in one process. Each is a thread that runs the package's own worker loop; a baton lets one of them
do one batch at a time, in turn. In a round every worker does its next batch: what it gathers comes from a copy of the
matrices as they were when the round began, what it adds goes to the matrices themselves. So a row that P batches have in
common gets P batches' worth of gradients from one copy, as with P cores that start at the same moment; there is no luck in
it, and one seed gives the same bits again. Real workers do not march in step: each misses what the P - 1 others have done
since it gathered, which is as much.

Damping that follows P counts what all workers do (what the package does), "own" looks at one worker's batch alone, "none"
leaves it out. The rest of what many cores meet is arithmetic, from word frequencies and the speed of one worker
(``--speed``, raw words a second for each objective, as measured by scaling.py); docs/many-cores.md has it in words.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from common import (
    Results,
    Run,
    argument_parser,
    counted,
    figure,
    group,
    mean,
    percent,
    scratch_directory,
    table,
    values,
)
from figures import GREEN, OBJECTIVES, blank, plain, spread_bar, text_named
from matplotlib.figure import Figure
from texts import text_of
from trainers import DIVERGED_NORM, LEARNING_RATE, Judge

from parw2v import Word2Vec, batching, worker
from parw2v.arraytypes import AnyArray, FloatArray, IndexArray
from parw2v.balance import balance
from parw2v.blas import worker_environment
from parw2v.config import BATCH_SIZE, TrainSettings
from parw2v.corpus import MAX_BLOCK_WORDS, BlockPlan, Corpus, encode_text
from parw2v.kernels import KERNELS
from parw2v.kernels.rows import gather
from parw2v.plots import BLUE, ORANGE
from parw2v.sampling import NOISE_TABLE_SIZE, keep_probabilities, noise_table, thresholds
from parw2v.vocabulary import Vocabulary
from parw2v.windows import Layout
from parw2v.worker import MEASURE_EVERY, BlockResult, BlockTask, WorkerSetup

QUICK = {"rounds": 1, "epochs": [1], "workers": [1, 8], "max_tokens": 200_000}
DEFAULTS = {"rounds": 1, "epochs": [1], "workers": [1, 4, 16, 64]}
CURVES = ("following", "own", "none")
SAMPLE, RULE = 1e-3, "word2vec"
ROW_SECONDS = 30e-9
"""A row of 100 numbers is read, added to and written in 20 to 50 ns (benchmarks/README.md)."""

SPEED = {"skipgram": 1.5e6, "cbow": 1.6e6}
"""Raw words a second of one worker on the machine of docs/many-cores.md, the best of three runs beside other work."""


def main() -> None:
    one_thread()
    parser = argument_parser(__doc__.splitlines()[0], quick=QUICK, **DEFAULTS)
    parser.add_argument("--lr", type=float, nargs="+", help="learning rates (default: each objective's own)")
    parser.add_argument("--damping", nargs="+", choices=CURVES, default=CURVES)
    parser.add_argument("--batch_size", type=int, nargs="+", default=[BATCH_SIZE])
    parser.add_argument("--speed", type=float, nargs="+", help="raw words a second of one worker, by objective")
    arguments = parser.parse_args()
    judge = Judge(arguments.analogies, arguments.similarity)
    with scratch_directory() as directory:
        text = text_of(arguments, Path(directory))
        vocab, corpus = encode_text(text.whole, Path(directory), min_count=arguments.min_count, raw=True)
        speed = SPEED | dict(zip(arguments.models, arguments.speed or (), strict=False))
        settings = {
            "text": text.to_dict(),
            "dim": arguments.dim,
            "min_count": arguments.min_count,
            "questions": judge.names,
        }
        results = Results("many-cores", arguments, settings, report, draw)
        for model in arguments.models:
            if not results.has(kind="arithmetic", model=model):
                results.add(arithmetic(vocab, model, arguments.dim, speed[model]))
        for job in jobs(arguments):
            if results.has(**job):
                continue
            trained, seconds, loss = simulate(vocab, corpus, dim=arguments.dim, **job)
            results.add(
                {"kind": "simulated"}
                | job
                | {"loss": loss, "seconds": round(seconds, 1)}
                | judged(trained, judge, Path(directory))
            )
            print(said(results.runs[-1]), flush=True)
        results.finish()


def one_thread() -> None:
    """Start again with the environment that a worker gets, which NumPy looks at when it is loaded."""
    if os.environ.get("OMP_NUM_THREADS") != "1":
        os.execve(sys.executable, [sys.executable, *sys.argv], worker_environment())


def jobs(arguments: argparse.Namespace) -> Iterator[Run]:
    """What is to be simulated; with one worker, damping that follows P and damping by its own batch are the same."""
    for seed, model, epochs, size, n in itertools.product(
        range(1, arguments.rounds + 1), arguments.models, arguments.epochs, arguments.batch_size, arguments.workers
    ):
        for lr in arguments.lr or [LEARNING_RATE[model]]:
            for damping in arguments.damping:
                if not (damping == "own" and n == 1 and "following" in arguments.damping):
                    yield {
                        "model": model,
                        "workers": n,
                        "damping": damping,
                        "lr": lr,
                        "batch_size": size,
                        "epochs": epochs,
                        "seed": seed,
                    }


# ------------------------------------------------------------------------------------------------ the simulation


class Baton(threading.Thread):
    """One simulated worker: runs its life from one `pause` to the next whenever it is its turn, else waits."""

    def __init__(self, life: Callable[[Baton], None]) -> None:
        super().__init__(daemon=True)
        self.life, self.over = life, False
        self.error: BaseException | None = None
        self.mine, self.theirs = threading.Semaphore(0), threading.Semaphore(0)

    def run(self) -> None:
        self.mine.acquire()
        try:
            self.life(self)
        except BaseException as error:  # it belongs to whoever gives the turns
            self.error = error
        self.over = True
        self.theirs.release()

    def pause(self) -> None:
        """In the thread: let the others have their turns."""
        self.theirs.release()
        self.mine.acquire()

    def turn(self) -> bool:
        """From outside: let it run up to its next pause; False once its life is over."""
        self.mine.release()
        self.theirs.acquire()
        if self.error:
            raise self.error
        return not self.over


@dataclass
class Twin:
    """A matrix, the copy that is gathered from, and which rows of the two differ."""

    live: FloatArray
    copy: FloatArray
    differ: AnyArray

    @classmethod
    def of(cls, live: FloatArray) -> Twin:
        return cls(live, live.copy(), np.zeros(len(live), bool))

    def settle(self) -> None:
        """Copy what was written in this round."""
        rows = np.flatnonzero(self.differ)
        self.copy[rows] = self.live[rows]
        self.differ[rows] = False


class InTurn:
    """A worker's kernel: the one that all share, with a pause after each step."""

    def __init__(self, kernel: Any, baton: Baton, W: Twin) -> None:
        self.kernel, self.baton, self.W = kernel, baton, W

    def __getattr__(self, name: str) -> Any:
        return getattr(self.kernel, name)

    def step(self, batch: batching.Batch, measure: bool = False) -> tuple[float, float]:
        done: tuple[float, float] = self.kernel.step(batch, measure)
        self.W.differ[batch.rows] = True
        self.baton.pause()
        return done


def simulate(
    vocab: Vocabulary,
    corpus: Corpus,
    *,
    model: str,
    workers: int,
    damping: str,
    lr: float,
    batch_size: int,
    epochs: int,
    seed: int,
    dim: int,
) -> tuple[Word2Vec, float, float | None]:
    """Train with so many workers in lockstep; returns the model, CPU seconds and the mean loss (None if not finite)."""
    trained = Word2Vec(vocab, dim, objective=model, seed=seed)
    settings = TrainSettings()
    plan = BlockPlan(len(corpus), seed)
    setup = WorkerSetup(
        ticket={},
        corpus_path=str(corpus.path),
        plan=plan,
        objective=model,
        negatives=trained.n_negatives,
        radius=settings.window,
        batch_size=batch_size,
        lr=lr,
        lr_min=settings.lr_min,
        total_words=len(corpus) * epochs,
        words_before=0,
        all_workers=workers if damping == "following" else 1,
    )
    shared: dict[str, AnyArray] = {
        "W": np.stack([trained.W_in, trained.W_out], axis=1).reshape(-1, trained.embed_dim),
        "progress": np.zeros(workers + 1, np.int64),
        "keep": thresholds(keep_probabilities(vocab.counts, SAMPLE, RULE)),
        "noise": noise_table(vocab.counts),
        "boost": np.ones(1),
    }
    W = Twin.of(shared["W"])
    tasks = iter([(epoch, block) for epoch in range(epochs) for block in range(plan.n_blocks)])
    layout = Layout.of_batch(setup.radius, batch_size)
    kind = KERNELS[model]
    n_noise = kind.enough_noise(layout, setup.negatives, lr)
    kernel = kind(W.live, layout=layout, negatives=setup.negatives, n_noise=n_noise)
    done: list[BlockResult] = []
    current: list[Baton] = []

    def life_of(number: int) -> Callable[[Baton], None]:
        def life(baton: Baton) -> None:
            current[:] = [baton]
            train = worker.prepare(setup)
            for epoch, block in tasks:
                done.append(train(BlockTask(epoch, block, number)))

        return life

    def gather_copy(live: FloatArray, rows: IndexArray, out: FloatArray) -> None:
        gather(W.copy, rows, out)

    start = time.process_time()
    with ExitStack() as patches:

        def patch(target: Any, name: str, new: Any) -> None:
            patches.enter_context(mock.patch.object(target, name, new))

        patch(worker, "attach", lambda ticket: (shared, []))
        shared_kernel = {"__new__": lambda *args, **kw: InTurn(kernel, current[0], W)}
        patch(worker, "KERNELS", {model: type("SharedKernel", (kind,), shared_kernel)})
        if workers > 1:
            patch(sys.modules[kind.__module__], "gather", gather_copy)
        if damping == "none":
            patch(batching, "damping", undamped)
        batons = [Baton(life_of(number)) for number in range(workers)]
        for baton in batons:
            baton.start()
        while batons:
            batons = [baton for baton in batons if baton.turn()]
            if workers > 1:
                W.settle()
    trained.W_in, trained.W_out = W.live[0::2].copy(), W.live[1::2].copy()
    balance(trained.W_in, trained.W_out)
    count = sum(result.loss_count for result in done)
    loss = sum(result.loss_sum for result in done) / count
    return trained, time.process_time() - start, loss if math.isfinite(loss) else None


def undamped(words: IndexArray, *rest: Any) -> FloatArray:
    """In place of `batching.damping`."""
    return np.ones(words.shape, np.float32)


def judged(model: Word2Vec, judge: Judge, scratch: Path) -> Run:
    """Accuracy and lengths of vectors; of those that are not finite, nothing."""
    found: Run = {}
    for name, W in (("in", model.W_in), ("out", model.W_out)):
        lengths = np.sqrt(np.einsum("vd,vd->v", W, W, dtype=np.float64))
        if not np.isfinite(lengths).all():
            return {"diverged": True}
        found |= {f"mean_{name}": round(float(lengths.mean()), 3), f"longest_{name}": round(float(lengths.max()), 3)}
    np.savez(scratch / "vectors.npz", W_in=model.W_in, W_out=model.W_out, words=model.vocab.words)
    return found | judge.scores(scratch / "vectors.npz")


def said(run: Run) -> str:
    outcome = "DIVERGED" if run["diverged"] else f"analogies {percent(run['analogies_total'])} %"
    return (
        f"{run['model']}, {counted(run['workers'], 'worker')}, damping {run['damping']}, lr {run['lr']}, batch "
        f"{run['batch_size']}, {counted(run['epochs'], 'epoch')}, seed {run['seed']}: {outcome} ({run['seconds']} s)"
    )


# ------------------------------------------------------------------------------------------------ arithmetic


@dataclass(frozen=True)
class Rates:
    """How often one worker uses each row, from the frequencies of words after subsampling.

    Attributes
    ----------
    kept_share : float
        Kept words for each raw word.
    inputs, outputs : (V,) float64
        Uses of each row of W_in and of W_out for each kept word (each is gathered once and added to once).
    """

    kept_share: float
    inputs: AnyArray
    outputs: AnyArray

    @classmethod
    def of(cls, vocab: Vocabulary, objective: str) -> Rates:
        settings = TrainSettings()
        layout = Layout.of_batch(settings.window, BATCH_SIZE)
        kept = keep_probabilities(vocab.counts, SAMPLE, RULE) * vocab.counts
        words = kept / kept.sum()
        kernel = KERNELS[objective]
        n_noise = layout.runs * kernel.n_noise
        if kernel.predicts_contexts:  # noise stands between twins, some of it several times
            n_noise = layout.n_twins * kernel.n_noise
        share = np.bincount(noise_table(vocab.counts), minlength=len(vocab)) / NOISE_TABLE_SIZE
        noise = share * (n_noise / layout.n_centres)
        return cls(float(kept.sum() / vocab.total), words, words + noise)


def arithmetic(vocab: Vocabulary, objective: str, dim: int, speed: float) -> Run:
    """What P workers of `speed` raw words a second each meet, for P = 1, 2, 16, 64; seconds, bytes and counts."""
    rates = Rates.of(vocab, objective)
    uses = np.concatenate([rates.inputs, rates.outputs])
    uses.sort()
    kept_words = speed * rates.kept_share
    row_bytes = 4 * dim
    batch = Layout.of_batch(TrainSettings().window, BATCH_SIZE).n_centres
    commonest = uses[::-1].cumsum() / uses.sum()
    found: Run = {
        "kind": "arithmetic",
        "model": objective,
        "speed": speed,
        "kept_share": rates.kept_share,
        "rows_a_word": float(uses.sum()),
        "row_bytes": row_bytes,
        "matrix_bytes": 2 * len(vocab) * row_bytes,
        "beyond": {str(mb): 1 - float(commonest[min(mb * 2**20 // row_bytes, len(uses)) - 1]) for mb in (1, 2, 4, 32)},
        "workers": {},
    }
    for n in (1, 2, 16, 64):
        adds = n * kept_words * uses.sum()
        # Two given workers, each adding to a row r times a second, overlap 2 r^2 t times a second.
        overlaps = n * (n - 1) / 2 * 2 * ROW_SECONDS * float((kept_words**2) * (uses**2).sum())
        others = (n - 1) * batch * uses  # adds of the others to each row in the time of one batch
        blocks = n * speed / MAX_BLOCK_WORDS
        found["workers"][str(n)] = {
            "adds": adds,
            "overlaps": overlaps,
            "share_lost": overlaps / adds,
            "stale_adds": float((uses * others).sum() / uses.sum()),
            "stale_share": float((uses * -np.expm1(-others)).sum() / uses.sum()),
            "row_bytes": 3 * adds * row_bytes,
            "beyond_l2_bytes": 2 * adds * row_bytes * found["beyond"]["2"],
            "messages": 2 * blocks,
            "message_seconds": message_seconds(n),
            "slot_writes": n * kept_words / (batch * MEASURE_EVERY),
        }
    return found


def message_seconds(n: int, rounds: int = 300) -> float:
    """Measured: what it takes a coordinator of n workers to wait for one result, take it and answer with a task."""
    pipes = [Pipe() for _ in range(n)]
    ours = [our for our, _ in pipes]
    result, task = (True, BlockResult(MAX_BLOCK_WORDS, MAX_BLOCK_WORDS, 1000, 1e6, 1e6)), BlockTask(0, 0, 0)
    seconds = 0.0
    for i in range(rounds):
        theirs = pipes[i % n][1]
        theirs.send(result)
        start = time.perf_counter()
        for ready in wait(ours):
            if isinstance(ready, Connection):
                ready.recv()
                ready.send(task)
        seconds += time.perf_counter() - start
        theirs.recv()
    for pipe in pipes:
        for end in pipe:
            end.close()
    return seconds / rounds


# ------------------------------------------------------------------------------------------------ report, picture


def report(record: dict[str, Any]) -> str:
    kinds, scores = group(record["runs"], "kind"), record["settings"]["questions"]["similarity"]
    runs = kinds.get(("simulated",), [])
    keys = ("model", "epochs", "lr", "batch_size", "damping", "workers")
    rows = []
    for (model, epochs, lr, size, damping, n), some in group(runs, *keys).items():
        sound = [run for run in some if not run["diverged"]]

        rows.append(
            [
                OBJECTIVES[model],
                epochs,
                lr,
                size,
                damping,
                n,
                range_of([100 * accuracy for accuracy in values(sound, "analogies_total")]),
                *(figure(mean(sound, name), 3) for name in scores),
                *(figure(mean(sound, name)) for name in ("mean_in", "longest_in", "mean_out", "longest_out")),
                f"{len(some) - len(sound)} of {len(some)}" if len(sound) < len(some) else "none",
            ]
        )
    headings = ["objective", "epochs", "lr", "batch", "damping", "P", "analogies %", *scores]
    headings += ["mean W_in", "longest", "mean W_out", "longest", "diverged"]
    text = record["settings"]["text"]
    title = (
        f"# Many workers, simulated\n\n{text['name']}, {text['words']:,} words. P workers do a batch each from one copy of "
        "the matrices, then all are added. Damping: whose occurrences of a row it counts: all P workers' "
        "(following), one's own (own), or none. Diverged: a vector longer than "
        f"{DIVERGED_NORM}, or not finite. Analogies are {record['settings']['questions']['analogies']}."
    )
    parts = [title, *([text["note"]] if "note" in text else []), table(headings, rows)]
    parts += [arithmetic_table(found) for found in kinds.get(("arithmetic",), [])]
    return "\n\n".join(parts)


def range_of(found: list[float]) -> str:
    """The mean, and of several the least and the most."""
    if not found:
        return "-"
    middle = f"{sum(found) / len(found):.1f}"
    return middle if len(found) == 1 else f"{middle} ({min(found):.1f} to {max(found):.1f})"


def arithmetic_table(found: Run) -> str:
    """The rest, by number of workers."""
    beyond = ", ".join(f"{100 * share:.0f} % to {mb} MB" for mb, share in found["beyond"].items())
    intro = (
        f"## Arithmetic for {OBJECTIVES[found['model']]}\n\n"
        f"One worker: {found['speed'] / 1e6:.2f} million raw words a second, "
        f"{100 * found['kept_share']:.0f} % of them kept, "
        f"{found['rows_a_word']:.2f} rows of {found['row_bytes']} bytes for each kept word. Uses of rows that are not among "
        f"the commonest that fill a cache: {beyond}."
    )
    columns = [
        ("rows added to, millions a second", "adds", 1e-6, 1),
        ("adds that overlap another worker's, a second", "overlaps", 1, 0),
        ("... of a million adds", "share_lost", 1e6, 1),
        ("gathered rows that others change before the add, %", "stale_share", 100, 1),
        ("... changes to such a row, mean over uses", "stale_adds", 1, 2),
        ("bytes read and written, GB/s", "row_bytes", 1e-9, 1),
        ("... beyond 2 MB of commonest rows", "beyond_l2_bytes", 1e-9, 1),
        ("messages a second", "messages", 1, 0),
        ("waiting for a result, taking it, answering (measured), us", "message_seconds", 1e6, 0),
        ("progress slots written, a second", "slot_writes", 1, 0),
    ]
    workers = found["workers"]
    rows = [
        [heading, *(figure(scale * workers[n][key], digits) for n in workers)]
        for heading, key, scale, digits in columns
    ]
    return f"{intro}\n\n{table(['', *(f'P = {n}' for n in workers)], rows)}"


def draw(record: dict[str, Any]) -> Figure:
    """Accuracy and lengths by P, a curve for each damping; a cross at the foot where training diverged."""
    panels = group([run for run in record["runs"] if run["kind"] == "simulated"], "model", "lr", "epochs")
    figure = blank(4.4 * len(panels) + 0.6, 7.4, "Many workers, simulated", text_named(record))
    grid = figure.subplots(2, len(panels), squeeze=False, sharex=True, height_ratios=[3, 2])
    styles = {"following": BLUE, "own": ORANGE, "none": GREEN}
    names = {"following": "damping counts all P batches", "own": "damping counts its own batch", "none": "no damping"}
    for column, ((model, lr, epochs), runs) in enumerate(panels.items()):
        above, below = grid[:, column]
        for (damping, size), some in group(runs, "damping", "batch_size").items():
            usual = size == BATCH_SIZE
            name = names[damping] + ("" if usual else f", batches of {size}")
            if damping == "own":  # one worker is the same for both
                some = [*some, *group(runs, "damping", "batch_size", "workers").get(("following", size, 1), [])]
            sound = group(
                sorted((run for run in some if not run["diverged"]), key=lambda run: run["workers"]), "workers"
            )
            n = [workers for (workers,) in sound]
            look = {"color": styles[damping], "ms": 5, "lw": 1.8, "ls": "-" if usual else "--"}
            above.plot(n, [100 * (mean(r, "analogies_total") or 0) for r in sound.values()], "o", label=name, **look)
            below.plot(n, [mean(r, "longest_in") for r in sound.values()], "o", **look)
            below.plot(n, [mean(r, "mean_in") for r in sound.values()], "s", **look | {"ls": ":"})
            for place, found in zip(n, sound.values(), strict=True):
                spread_bar(
                    above, place, [100 * accuracy for accuracy in values(found, "analogies_total")], styles[damping]
                )
            lost = [run["workers"] for run in some if run["diverged"]]
            shift = {"following": 1.0, "own": 1.06, "none": 0.94}[damping]
            above.plot([shift * n for n in lost], [0.3] * len(lost), "x", color=styles[damping], ms=8, mew=2)
        plain(above, f"{OBJECTIVES[model]}, lr {lr:g}, {counted(epochs, 'epoch')}: accuracy (x: diverged)")
        plain(below, "length of input vectors: longest (full line), mean (dotted)")
        above.set(ylabel="analogies (%)", ylim=(0, None))
        above.legend(loc="lower left", bbox_to_anchor=(0, 0.06), fontsize=8.5, edgecolor="none", framealpha=0.9)
        below.set(xlabel="P, workers", ylabel="length", ylim=(0, None), xscale="log")
        counts = sorted({run["workers"] for run in runs})
        below.set_xticks(counts, [str(n) for n in counts])
        below.minorticks_off()
    return figure


if __name__ == "__main__":
    main()
