"""What a label asks: the column that it stands in, and what counts as 1 and as 0."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass

# The sentence that runs of before keep: column, value (in quotes, a comparison, or 1), and what it is held against.
_SENTENCE = re.compile(
    r"(?P<column>.+?) (?P<positive>1|[<>]=? *-?[\d.]+|'.*?'|\".*?\") against (?P<negative>.+)", re.DOTALL
)


@dataclass(frozen=True)
class LabelQuestion:
    """What label 1 and label 0 stand for.

    Parameters
    ----------
    column : column of the label file, `MGMT_value`
    positive : what counts as 1, as it is written: `1`, `>63`, `'Methylated'` (values of the user's own stand in quotes)
    negative : what counts as 0: `0`, `the rest`, `'Unmethylated'`

    Examples
    --------
    >>> str(LabelQuestion("MGMT_value"))
    'MGMT_value 1 against 0'
    """

    column: str
    positive: str = "1"
    negative: str = "0"

    def __str__(self) -> str:
        """The question as people read it: 'MGMT_value 1 against 0'."""
        return f"{self.outcome} against {self.negative}" if self.negative else self.outcome

    @property
    def outcome(self) -> str:
        """What label 1 says of a patient: 'MGMT_value 1'."""
        return f"{self.column} {self.positive}" if self.positive else self.column

    def as_json(self) -> dict[str, str]:
        """{column, positive, negative}, for a file."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: str | Mapping[str, str]) -> LabelQuestion:
        """The question of a file.

        Parameters
        ----------
        value : what `as_json` gave, `question_parts` of run.json; or the sentence that `str` gives, which is all that runs of
            before hold. Of a sentence of another form, the whole is the column, so that it reads as it was written.
        """
        if not isinstance(value, str):
            return cls(value["column"], value["positive"], value["negative"])
        found = _SENTENCE.fullmatch(value)
        return cls(**found.groupdict()) if found else cls(value, "", "")
