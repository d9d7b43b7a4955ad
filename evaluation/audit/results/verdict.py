"""What the figures of an audit say of a new patient: findings from numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evaluation.audit.files.foreign import Foreign
from evaluation.audit.findings import Clean, Few, Finding, FindingKind, Luck, NoFigures, OfResult
from evaluation.audit.results.best import Best
from evaluation.audit.results.measures import Figures
from evaluation.statistics.power import FEW_PATIENTS


def candidates_of(results: Sequence[Figures]) -> list[Figures]:
    """Results that can be the highest: enough patients, and no baseline unless the file holds nothing else."""
    enough = [x for x in results if x.smaller_class >= FEW_PATIENTS]
    return [x for x in enough if not x.baseline] or enough


def figure_findings(
    results: Sequence[Figures], clean: Sequence[Figures] | None, f: Foreign, *, leaks: bool
) -> tuple[Finding, ...]:
    """What the figures say.

    Parameters
    ----------
    results : the figures of each result
    clean : where patients leak, the figures of those who do not; None where nobody does who is known
    f : the predictions
    leaks : whether patients leak
    """
    found: list[Finding] = [*_few(results, f)]
    candidates = candidates_of(results)
    if not results:
        found.append(NoFigures(FindingKind.NO_FIGURES, bool(f.contradictory)))
    if candidates:
        top = max(candidates, key=lambda x: x.lead[0])
        found += [
            OfResult(kind, figures=top, name=result_name(top, f), results=len(candidates), leaks=leaks)
            for kind in _kinds(top, leaks=leaks)
        ]
    if clean is not None:
        found.append(_without_leaks(clean, f))
    return tuple(found)


def luck(best: Best, candidates: Sequence[Figures], *, leaks: bool) -> Luck:
    """What the highest of several results is worth. `candidates` : the figures of the results that it was chosen from."""
    above = next(x.lead[1] > 0.5 for x in candidates if x.model == best.model)
    return Luck(FindingKind.LUCK, best, above, leaks)


def result_name(x: Figures, f: Foreign) -> str:
    """A result by its model, or by its file where that is the only one."""
    return x.model or f.name


def _kinds(x: Figures, *, leaks: bool) -> list[FindingKind]:
    """What there is to say of the highest result."""
    kinds, (_, low, high) = [FindingKind.HIGHEST], x.lead
    if high < 0.5:
        kinds.append(FindingKind.BELOW_CHANCE)
    elif low <= 0.5:
        kinds.append(FindingKind.CHANCE)
    elif low > 0.5:
        kinds.append(FindingKind.ABOVE_CHANCE)
    elif x.no_folds is None:
        assert math.isnan(low)
        kinds.append(FindingKind.NO_INTERVAL)
    kinds.append(FindingKind.ONE_RANKING)
    if x.most_rows > 1:
        kinds.append(FindingKind.ROWS)
    if not leaks:
        kinds.append(FindingKind.POWER)
    return kinds


def _few(results: Sequence[Figures], f: Foreign) -> list[Few]:
    """Results with few patients, once for all that have as many."""
    alike: dict[tuple[int, int], list[str]] = {}
    for x in results:
        if x.smaller_class < FEW_PATIENTS:
            alike.setdefault((x.positives, x.patients - x.positives), []).append(result_name(x, f))
    return [Few(FindingKind.FEW, tuple(names), positives, negatives) for (positives, negatives), names in alike.items()]


def _without_leaks(clean: Sequence[Figures], f: Foreign) -> Clean:
    """What is left of the figures when patients who were in training do not count."""
    told = candidates_of(clean)
    best = max(told, key=lambda x: x.auc, default=None)
    return Clean(
        FindingKind.WITHOUT_LEAKS,
        best=best,
        name=result_name(best, f) if best else "",
        results=len(told),
        most=max((x.patients for x in clean), default=0),
    )
