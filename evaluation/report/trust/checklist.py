"""What the records of a run answer of CLAIM 2024 and TRIPOD+AI, item by item; the rest is for the authors to say."""

from __future__ import annotations

from evaluation.report.context import ReportContext
from evaluation.report.section import Section, Sheet, section
from evaluation.report.trust.checklist_facts import facts
from evaluation.report.trust.checklist_items import CLAIM, TRIPOD

OPEN = "not answered by the run: the authors must say"


@section(order=160)
def checklist_section(context: ReportContext) -> Section:
    """Both checklists with the answers that the runs give; parts of the report that hold figures are referred to."""
    known = facts(context)
    lists = {"CLAIM 2024": CLAIM, "TRIPOD+AI": TRIPOD}
    answered = {
        name: {n: known[fact].strip() for n, _, fact in items if known.get(fact)} for name, items in lists.items()
    }
    sheets = [
        Sheet(
            f"{name}: {len(answered[name])} of {len(items)} items have an answer",
            ("Item", "Answer"),
            [[f"{n} {topic}", answered[name].get(n, OPEN)] for n, topic, _ in items],
        )
        for name, items in lists.items()
    ]
    words = [
        "What the records of the runs say to each item of CLAIM 2024 (Tejani et al., Radiology: Artificial Intelligence 2024) and "
        "TRIPOD+AI (Collins et al., BMJ 2024). Item numbers are those of the papers, topics are shortened. An answer here is "
        "where the authors start, not a claim that the item is fulfilled."
    ]
    data = {name: {n: answered[name].get(n) for n, _, _ in items} for name, items in lists.items()}
    return Section("checklists", "Checklists: CLAIM 2024 and TRIPOD+AI", words, sheets, data=data, folded=True)
