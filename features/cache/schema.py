"""The cache format, version 1: its names, types and digests. FORMATS.md states it in full.

`/features` (n, d), one column per fact under `/rows`, one row per series under `/series`, what was left out under
`/skipped`, names under `/names`; settings are root attributes. Series lie in one piece each, sorted by patient and
sequence, so that the file is a function of its content alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.documents import Document
from features.scans.find import Skipped
from features.scans.slice import CODED_SLICE_COLUMNS, SLICE_COLUMNS, Columns

FORMAT = "mgmt-radiogenomics/features"
VERSION = 1
CHUNK_ROWS = 256

Vectors = NDArray[np.float32 | np.float16]
Settings = Document  # texts and numbers, by the names of root attributes

# The columns of /rows: name -> dtype. Coded columns hold an index into /names/<column>.
CODED = ("patient", "sequence", *CODED_SLICE_COLUMNS)
COLUMNS: dict[str, str] = {"patient": "<i4", "sequence": "<i4", **SLICE_COLUMNS}
SERIES_COLUMNS = ("patient", "sequence", "first_row", "n_rows", "fingerprint", "precision", "digest")
SKIPPED_COLUMNS = ("patient", "sequence", "source", "reason")


@dataclass
class SeriesRows:
    """One series as it stands in a cache: features (m, d) and columns of length m (texts decoded)."""

    patient: str
    sequence: str
    fingerprint: str
    precision: str
    features: Vectors
    columns: Columns
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def n_rows(self) -> int:
        """m."""
        return len(self.features)

    @property
    def planes(self) -> set[str]:
        """The planes of its rows."""
        return set(map(str, self.columns["plane"]))

    def load(self) -> SeriesRows:
        """Itself: it is in memory."""
        return self

    def digest(self) -> str:
        """BLAKE2b of every value of the series: features, columns and names."""
        head = "\0".join((self.patient, self.sequence, self.fingerprint, self.precision, ""))
        digest = hashlib.blake2b(head.encode(errors="surrogateescape"), digest_size=16)
        digest.update(np.ascontiguousarray(self.features).view(np.uint8).data)
        for name in SLICE_COLUMNS:
            values = self.columns[name]
            if name in CODED:
                digest.update("\0".join(values).encode(errors="surrogateescape"))
            else:
                digest.update(np.ascontiguousarray(values, COLUMNS[name]).tobytes())
        return digest.hexdigest()


def content_digest(attributes: Settings, series_digests: Sequence[str], skipped: Sequence[Skipped]) -> str:
    """BLAKE2b of all that a cache says, by way of the digests of its series: equal for equal content."""
    content = [sorted(attributes.items()), list(series_digests), [list(astuple(s)) for s in skipped]]
    return hashlib.blake2b(json.dumps(content).encode(), digest_size=16).hexdigest()


def encoded(texts: Sequence[str]) -> list[bytes]:
    """Texts as a file has them; names that are no UTF-8 come back as they were."""
    return [t.encode(errors="surrogateescape") for t in texts]
