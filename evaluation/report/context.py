"""What every part of the report may ask for; what several parts need is computed once, when it is first asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from core.leak import Leak
from core.predictions import Scored
from evaluation.options import ReportOptions
from evaluation.read_run import Run
from evaluation.report.section import Section
from evaluation.run_facts import has_random_weights, leaks_of, split_off
from evaluation.statistics.assess import Assessment, assess
from evaluation.statistics.compare import Comparison, compare_all
from evaluation.statistics.controls.multiplicity import Looks, count_looks, further_looks, inner_thresholds
from evaluation.statistics.controls.permutation import PermutationTest, permutation_tests
from evaluation.statistics.verdict import Verdict, judge_by_question

SLICE_REPLICATES = 200  # of the bootstrap at slice level, which is shown for comparison only


@dataclass
class ReportContext:
    """The runs of a report and what is known of them.

    Parameters
    ----------
    runs : at least one; options : as the report was asked for
    sections : the parts that stand before the one that is being made
    """

    runs: Sequence[Run]
    options: ReportOptions = field(default_factory=ReportOptions)
    sections: list[Section] = field(default_factory=list)

    @cached_property
    def leaks(self) -> dict[str, Leak]:
        """{run: its leak}, of the runs that leak."""
        return leaks_of(self.runs)

    @cached_property
    def random_weights(self) -> bool:
        """Whether any run was trained on features of an untrained network."""
        return has_random_weights(self.runs)

    @cached_property
    def questions(self) -> dict[str, str]:
        """{run: what its labels stand for}, as people read it."""
        return {run.name: str(run.about["question"]) for run in self.runs}

    @cached_property
    def _parted(self) -> tuple[list[Scored], list[Scored]]:
        return split_off([s for run in self.runs for s in run.scored], self.runs)

    @cached_property
    def scored(self) -> list[Scored]:
        """Every result at patient level, but for heads that saw no image."""
        return self._parted[0]

    @cached_property
    def baselines(self) -> list[Scored]:
        """The results of heads that saw no image."""
        return self._parted[1]

    @cached_property
    def honest(self) -> list[Scored]:
        """`scored` of the runs that do not leak."""
        return [s for s in self.scored if s.run not in self.leaks]

    @cached_property
    def slices(self) -> list[Scored]:
        """The scores of slices, of results with more slices than patients."""
        return [s for run in self.runs for s in run.slices if len(s.units) > len(s.patients)]

    @cached_property
    def patients(self) -> list[Assessment]:
        """The assessment of each of `scored`, with its curves."""
        chosen = {key: cuts for run in self.runs for key, cuts in inner_thresholds(run).items()}
        o = self.options
        return [
            assess(
                s,
                level="patient",
                threshold=o.threshold,
                replicates=o.replicates,
                seed=o.seed,
                curves=True,
                chosen=chosen.get(s.key),
            )
            for s in self.scored
        ]

    @cached_property
    def by_slice(self) -> list[Assessment]:
        """The assessment of each of `slices`."""
        o = self.options
        few = min(o.replicates, SLICE_REPLICATES)
        return [assess(s, level="slice", threshold=o.threshold, replicates=few, seed=o.seed) for s in self.slices]

    @cached_property
    def pairs(self) -> list[Comparison]:
        """Every pair of honest results that answer one question."""
        return compare_all(self.honest, self.questions)

    @cached_property
    def permutations(self) -> list[PermutationTest]:
        """The results that were trained on shuffled labels too."""
        return permutation_tests(self.runs)

    @cached_property
    def looks(self) -> list[Looks]:
        """How often the reported folds were looked at."""
        return count_looks(self.runs)

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """The verdict on each question."""
        return judge_by_question(
            self.patients, self.leaks, self.questions, further=further_looks(self.looks), tests=self.permutations
        )
