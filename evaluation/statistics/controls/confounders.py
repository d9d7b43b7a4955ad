"""Do the images tell more than how the scans were made? Image results against heads that saw no image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from core.predictions import Scored
from evaluation.statistics.assess import Assessment, assess
from evaluation.statistics.compare import ALPHA, Comparison, compare, holm
from evaluation.statistics.intervals import inflation


class Winner(Enum):
    """Which of an image result and a head that saw no image ranks patients better."""

    IMAGES = "images better"
    ACQUISITION = "shortcut better"
    NEITHER = "no detectable difference"


@dataclass
class AcquisitionAudit:
    """The heads of one run that saw no image, the best of them, and each image result compared with it.

    pairs : a is the image result, b the best head that saw no image; p_holm is corrected over the pairs of the run
    """

    run: str
    heads: list[Assessment]
    best: Assessment
    pairs: list[Comparison]

    @property
    def p_chance(self) -> float:
        """Two-sided p of the best head that saw no image, corrected for the number of such heads.

        From the variance under chance, where a model is all noise of its training sample: it holds for an AUC of 1 too.
        """
        from scipy.stats import norm

        positive, negative = self.best.n_positive, self.best.n_patients - self.best.n_positive
        folds, repeats = self.best.n_folds / self.best.n_repeats, self.best.n_repeats
        plain = (positive + negative + folds) / (
            12 * positive * negative
        )  # of Mann and Whitney's statistic within folds
        z = abs(self.best.by_fold["estimate"] - 0.5) / np.sqrt(plain * inflation(1.0, folds, repeats))
        return min(1.0, float(2 * norm.sf(z)) * len(self.heads))

    @property
    def told(self) -> bool:
        """Whether the label can be told from how the scans were made."""
        return self.best.by_fold["estimate"] > 0.5 and self.p_chance < ALPHA


def winner(c: Comparison) -> Winner:
    """Who is detectably better in a pair of an audit."""
    if not c.different:
        return Winner.NEITHER
    return Winner.IMAGES if c.difference > 0 else Winner.ACQUISITION


def audit_acquisition(
    run: str, images: Sequence[Scored], baselines: Sequence[Scored], *, replicates: int, seed: int
) -> AcquisitionAudit:
    """Every image result of a run against its best head that saw no image, by the paired test.

    Parameters
    ----------
    run : its name; images : results on images, also of other runs; baselines : at least one result of this run without images
    replicates, seed : of the bootstrap over patients

    Returns
    -------
    The audit; a result that shares too few patients with the baseline is not compared.
    """
    heads = [assess(s, level="patient", replicates=replicates, seed=seed) for s in baselines]
    best = max(range(len(heads)), key=[h.by_fold["estimate"] for h in heads].__getitem__)
    pairs = [c for s in images if s.run == run and (c := compare(s, baselines[best])) is not None]
    # The highest such head was picked on these patients, which favours it: where it wins, that is paid for.
    for c, p in zip(pairs, holm([c.p * (len(heads) if c.difference < 0 else 1) for c in pairs]), strict=True):
        c.p_holm = p
    return AcquisitionAudit(run, heads, heads[best], pairs)
