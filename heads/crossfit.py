"""Out-of-fold scores: every head on every table over the same folds, everything fitted inside the fold."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from heads.base import Curve, Fitted, Head, capabilities
from heads.folds import RowSplit
from heads.standardise import Floats, Ids, Matrix, Part


class Rows(Protocol):
    """What a head is trained on: `X` (n, d) float32, `patient` (n,) str, `view` (n,) int16 (0 = scored)."""

    sequence: str
    X: NDArray[np.float32]
    patient: Ids
    view: NDArray[np.int16]


class SliceRows(Rows, Protocol):
    """Rows that can be split by slice: besides, `slice_id` (n,) str, shared by the views of an image."""

    slice_id: Ids


@dataclass
class FoldScores:
    """Scores of one fitted head for the test rows of one fold.

    `curve` is the training curve, if the head has one; `fitted` the head itself, kept where it is linear, so that its
    scores can be explained later.
    """

    head: str
    sequence: str
    repeat: int
    fold: int
    rows: NDArray[np.intp]
    scores: NDArray[np.float64]
    curve: Curve
    fitted: Fitted | None = None


def cross_fit(
    heads: Sequence[Head],
    tables: Sequence[Rows],
    labels: Mapping[str, int],
    splits: Mapping[str, Sequence[RowSplit]],
    *,
    seed: int,
    jobs: int = 1,
) -> list[FoldScores]:
    """Fit every head on the training rows of every split of every table and score the test rows.

    Parameters
    ----------
    heads : with their hyper-parameters
    tables : rows of patients, one table per sequence
    labels : {patient: 0 or 1} of every patient in the tables
    splits : {sequence: row splits of that table}
    seed : each fit has its own seed, from this one, head, sequence, repeat and fold
    jobs : fits at once, each on one thread; the result does not depend on it

    Returns
    -------
    Scores by head, table and split, in this order; splits that test nobody are left out.

    Raises
    ------
    ValueError : the training rows of a fold hold one class only, or a head does not converge
    """
    return _at_once(_fold_tasks(heads, tables, labels, splits, seed), jobs)


def refit(
    heads: Sequence[Head], tables: Sequence[Rows], labels: Mapping[str, int], *, seed: int, jobs: int = 1
) -> dict[tuple[str, str], Fitted]:
    """Every head on all labelled rows of every table.

    Parameters
    ----------
    heads, tables, labels, seed, jobs : as in `cross_fit`

    Returns
    -------
    {(head, sequence): fitted}

    Raises
    ------
    ValueError : the rows hold one class only, or a head does not converge
    """
    return cross_fit_and_refit(heads, tables, labels, {t.sequence: () for t in tables}, seed=seed, jobs=jobs)[1]


def cross_fit_and_refit(
    heads: Sequence[Head],
    tables: Sequence[Rows],
    labels: Mapping[str, int],
    splits: Mapping[str, Sequence[RowSplit]],
    *,
    seed: int,
    jobs: int = 1,
) -> tuple[list[FoldScores], dict[tuple[str, str], Fitted]]:
    """What `cross_fit` and `refit` give, fitted together, so that no core waits for the last fold.

    Parameters
    ----------
    heads, tables, labels, splits, seed, jobs : as in `cross_fit`

    Returns
    -------
    What `cross_fit` gives, and what `refit` gives.

    Raises
    ------
    ValueError : the training rows of a fold hold one class only, or a head does not converge
    """
    pairs = [(head, table) for head in heads for table in tables]
    whole = [_refit_task(head, t, labels, seed) for head, t in pairs]  # the longest first
    found = _at_once([*whole, *_fold_tasks(heads, tables, labels, splits, seed)], jobs)
    fitted = {(head.name, t.sequence): f[0] for (head, t), f in zip(pairs, found, strict=False)}
    return found[len(pairs) :], fitted


@dataclass(frozen=True)
class _Task:
    """One fit; own_process : its library keeps threads for a whole process; head, sequence : whose it is."""

    own_process: bool
    head: str
    sequence: str
    work: Callable[[], Any]

    def __call__(self) -> Any:
        """Fit, in a process of its own under limits of its own."""
        try:
            with _strict() if self.own_process else nullcontext():
                return self.work()
        except Warning as warning:
            raise ValueError(
                f"{self.head} on {self.sequence}: the fit warns ({type(warning).__name__}: {warning}), so that its scores are not "
                "to be relied on; change its hyper-parameters or leave the head out"
            ) from warning


def _refit_task(head: Head, t: Rows, labels: Mapping[str, int], seed: int) -> _Task:
    """A head on all rows of a table: gives (fitted, curve)."""
    own_seed = _seed(seed, head.name, t.sequence)
    work = partial(_fit, head, t.sequence, t.X, _y(t, labels), t.patient, t.view, own_seed)
    return _Task(capabilities(head).own_process, head.name, t.sequence, work)


def _fold_tasks(
    heads: Sequence[Head],
    tables: Sequence[Rows],
    labels: Mapping[str, int],
    splits: Mapping[str, Sequence[RowSplit]],
    seed: int,
) -> list[_Task]:
    """A task for each fold that tests anybody: gives its `FoldScores`."""
    return [
        _Task(
            capabilities(head).own_process,
            head.name,
            t.sequence,
            partial(_fit_and_score, head, t.sequence, t.X, _y(t, labels), t.patient, t.view, split, seed),
        )
        for head in heads
        for t in tables
        for split in splits[t.sequence]
        if len(split.test)
    ]


def _at_once(tasks: Sequence[_Task], jobs: int) -> list[Any]:
    """What the tasks give, in order, `jobs` at a time, each on one thread.

    Some libraries keep the number of their threads for a whole process (TensorFlow), so that their heads go to processes of
    their own where there are several jobs. The others let go of the interpreter while they compute: threads share the table.
    """
    from joblib import Parallel, delayed

    out: dict[int, Any] = {}
    for apart, options in ((True, {}), (False, {"backend": "threading"})):
        here = [i for i, task in enumerate(tasks) if task.own_process == apart]
        if here:
            with _strict():
                found = Parallel(n_jobs=jobs, **options)(delayed(tasks[i])() for i in here)
            out.update(zip(here, found, strict=True))
    return [out[i] for i in range(len(tasks))]


@contextmanager
def _strict() -> Iterator[None]:
    """One thread for linear algebra, and a fit that does not converge must not pass unseen. Of the whole process, not of a thread."""
    with _thread_pools().limit(limits=1), warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def patient_weights(patient: Ids) -> NDArray[np.float64]:
    """(n,) weights under which each patient's rows sum to 1, so that patients count equally."""
    _, index, counts = np.unique(patient.astype(str), return_inverse=True, return_counts=True)
    return np.asarray(1.0 / counts[index])


def _fit(
    head: Head,
    sequence: str,
    X: Matrix,
    y: NDArray[np.int_],
    patient: Ids,
    view: NDArray[np.int16],
    seed: int,
    validation: NDArray[np.intp] | None = None,
) -> tuple[Fitted, Curve]:
    if len(np.unique(y)) < 2:
        raise ValueError(
            f"{head.name} on {sequence}: the training patients ({', '.join(sorted(set(patient))[:8])}) all have one label; "
            "fewer --folds or more patients are needed"
        )
    return head.fit(X, y, patient_weights(patient), patient=patient, seed=seed, view=view, validation=validation)


@cache
def _thread_pools() -> Any:
    """The libraries whose threads are held to one; looked for once, since that takes longer than a small fit."""
    import scipy.linalg  # noqa: F401 (loads the linear algebra that is to be found)
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _fit_and_score(
    head: Head,
    sequence: str,
    X: Floats,
    y: NDArray[np.int_],
    patient: Ids,
    view: NDArray[np.int16],
    split: RowSplit,
    seed: int,
) -> FoldScores:
    rows, validation = split.train, None
    if split.validation is not None:
        rows = np.concatenate([split.train, split.validation])
        validation = np.arange(len(split.train), len(rows))
        if not capabilities(head).early_stopping:  # it would train on rows that are there to be watched
            rows, validation = split.train, None
    own_seed = _seed(seed, head.name, sequence, split.repeat, split.fold)
    fitted, curve = _fit(head, sequence, Part(X, rows), y[rows], patient[rows], view[rows], own_seed, validation)
    kept = fitted if capabilities(head).linear else None
    scores = fitted.scores(Part(X, split.test))
    return FoldScores(
        head=head.name,
        sequence=sequence,
        repeat=split.repeat,
        fold=split.fold,
        rows=split.test,
        scores=scores,
        curve=curve,
        fitted=kept,
    )


def _y(table: Rows, labels: Mapping[str, int]) -> NDArray[np.int_]:
    return np.array([labels[p] for p in table.patient], int)


def _seed(*parts: object) -> int:
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(errors="surrogateescape"), digest_size=4).digest()
    return int.from_bytes(digest, "little") >> 1
