"""Runs -> a report: `evaluate` and the `Report` that it gives. The door evaluate.py is this call with options read from the command line."""

from __future__ import annotations

import html
import shutil
from collections.abc import Sequence
from dataclasses import fields
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from core.documents import Known
from core.leak import leak_sentence
from core.metrics import METRICS
from core.system.files import atomic_files
from core.system.lock import file_lock
from core.system.provenance import provenance
from evaluation.options import ReportOptions
from evaluation.read_run import Run, in_memory, read_run
from evaluation.report.compose import Composed, compose
from evaluation.report.console import table_lines
from evaluation.report.context import ReportContext
from evaluation.report.files import write_report_json
from evaluation.report.html import write_html
from evaluation.report.section import Section
from heads.run_files import RUN_FILE

if TYPE_CHECKING:
    import pandas as pd

    from heads.training.run import Run as RunInMemory

AnyRun: TypeAlias = "Run | RunInMemory | Path | str"
AnyRuns: TypeAlias = "AnyRun | Sequence[AnyRun]"


def evaluate(runs: AnyRuns, **options: Any) -> Report:
    """Everything that a report says of one run or several.

    Parameters
    ----------
    runs : what `heads.cross_validate` gave, or folders that `train_head.py` wrote
    options : fields of `evaluation.options.ReportOptions`: threshold, recalibrate, replicates, seed

    Returns
    -------
    The report; nothing is written.

    Raises
    ------
    ValueError : there are no runs, a folder holds no run, a run is given twice, or there is no such option or value

    Examples
    --------
    >>> report = evaluate("runs/first", replicates=500)  # doctest: +SKIP
    >>> print(report.summary())  # doctest: +SKIP
    >>> report.save("report")  # doctest: +SKIP
    """
    known = [f.name for f in fields(ReportOptions)]
    if unknown := [name for name in options if name not in known]:
        raise ValueError(f"{', '.join(unknown)}: no option of a report; the options are {', '.join(known)}")
    context = ReportContext(read_runs(runs), ReportOptions(**options))
    return Report(context, compose(context))


def read_runs(runs: AnyRuns) -> list[Run]:
    """Runs from their folders; runs in memory, and runs that were read already, are taken as they are.

    Two folders of one name go by their paths. Raises ValueError where there are none, one is no run, or one is given twice.
    """
    given = [runs] if isinstance(runs, Path | str) or not isinstance(runs, Sequence) else list(runs)
    if not given:
        raise ValueError("no runs; give what heads.cross_validate gave, or folders that train_head.py wrote")
    names = [Path(r).name for r in given if isinstance(r, Path | str)]
    out = []
    for r in given:
        if isinstance(r, Run):
            out.append(r)
        elif isinstance(r, Path | str):
            path = Path(r)
            out.append(read_run(path, path.as_posix() if names.count(path.name) > 1 else path.name))
        else:
            out.append(in_memory(r))
    _check_each_once(out)
    return out


def _check_each_once(runs: Sequence[Run]) -> None:
    """Raise ValueError where a run, or a copy of it, is given twice, or two runs go by one name."""
    pairs = list(combinations(runs, 2))
    twice = {id(b): b.name for a, b in pairs if a is b or _copies(a, b)}
    if twice:
        raise ValueError(
            f"{', '.join(twice.values())} is given twice (or a copy of another run); every run counts once"
        )
    alike = {b.name for a, b in pairs if a.name == b.name}
    if alike:
        raise ValueError(
            f"two runs are called {', '.join(sorted(alike))}; give one of them another name: run.renamed(...)"
        )


def _copies(a: Run, b: Run) -> bool:
    """Whether two runs were read from the same tables; a run in memory has none."""
    tables = a.about.get("tables")
    return bool(tables) and tables == b.about.get("tables")


class Report:
    """What is to be said of some runs: words, tables and figures.

    Parameters
    ----------
    context : the runs and what was computed of them; composed : the parts made of it

    `verdict` holds the paragraphs that lead the report, `sections` its parts in order.
    """

    def __init__(self, context: ReportContext, composed: Composed) -> None:  # noqa: D107
        self.context = context
        self._composed = composed

    @property
    def verdict(self) -> list[str]:
        """The paragraphs that lead the report, the answer first."""
        return self._composed.verdict

    @property
    def sections(self) -> list[Section]:
        """The parts of the report, in order."""
        return self._composed.sections

    def summary(self) -> str:
        """The tables of results, run by run, and the verdict, as plain text."""
        lines: list[str] = []
        for run in self.context.runs:
            leak = self.context.leaks.get(run.name)
            own = [a for a in self.context.patients if a.run == run.name]
            lines += table_lines(own, leak_sentence(leak) if leak else "")
        return "\n".join([*lines, "", *self.verdict])

    @property
    def results(self) -> pd.DataFrame:
        """A row per result and level, with its AUC by fold and every metric; *_low and *_high bound the 95 % intervals."""
        import pandas as pd

        rows = []
        for a in [*self.context.patients, *self.context.by_slice]:
            row: dict[str, object] = {**a.key._asdict(), "level": a.level, "patients": a.n_patients, "units": a.n_units}
            row |= {"positive": a.n_positive, "leaks": a.run in self.context.leaks, "auc_by_fold": a.mean_fold_auc}
            row |= {f"auc_by_fold_{end}": a.by_fold.get(end, np.nan) for end in ("low", "high")}
            row["p"] = a.by_fold.get("p", np.nan)
            for name in METRICS:
                value = a.values[name]
                row |= {name: value["estimate"], f"{name}_low": value["low"], f"{name}_high": value["high"]}
            rows.append(row)
        return pd.DataFrame(rows)

    @property
    def patients(self) -> pd.DataFrame:
        """A row per result and patient: label, score as the mean over repeats, its deviation between them, slices."""
        import pandas as pd

        rows: list[dict[str, object]] = []
        for s in self.context.scored:
            for i, patient in enumerate(s.units):
                known = s.scores[:, i][np.isfinite(s.scores[:, i])]
                spread = float(known.std(ddof=1)) if len(known) > 1 else np.nan
                mean, label = float(known.mean()), int(s.y[i])
                row = {"patient_id": patient, "label": label, "score": mean, "score_sd": spread}
                rows.append({**s.key._asdict(), **row, "n_slices": int(s.n_slices[i])})
        return pd.DataFrame(rows)

    def write(self, folder: Path, origin: Known) -> None:
        """Write report.html, report.json and figures/ into a folder; `origin` : of the program, see `core.system.provenance`."""
        for drawing in [d for s in self.sections for d in s.drawings]:
            drawing.write(folder / "figures")
        write_report_json(folder / "report.json", self.context, self.verdict, self._composed.in_json, origin)
        write_html(folder / "report.html", self.context, self.verdict, self.sections, origin)

    def save(self, folder: Path | str) -> Path:
        """Write the report into a folder, in place of one that is there.

        Parameters
        ----------
        folder : becomes report.html, report.json and figures/; other files in it stay

        Returns
        -------
        The path of report.html.

        Raises
        ------
        ValueError : another process is writing there, the folder is a run, or it is a file
        """
        out = Path(folder)
        check_out(out)
        with file_lock(out), atomic_files(out) as new:
            self.write(new, provenance([]))
            forget_figures(out)
        return out / "report.html"

    def _repr_html_(self) -> str:
        """For notebooks: the verdict, and the results as a table."""
        words = "".join(f"<p>{html.escape(w)}</p>" for w in self.verdict)
        return f"{words}{self.results.to_html(index=False, float_format='{:.3f}'.format)}"


def check_out(out: Path) -> None:
    """Raise ValueError where what is to become a folder of results is a run, or a file."""
    if (out / RUN_FILE).exists():
        raise ValueError(f"--out {out} is a run; reports go to a folder of their own")
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out {out} is a file; expected a folder")


def forget_figures(out: Path) -> None:
    """Delete the figures of an earlier report, when those of a new one are about to stand in their place."""
    if (out / "report.json").exists():
        shutil.rmtree(out / "figures", ignore_errors=True)
