"""The shortcut table holds what the columns of a cache say, by hand; availability says what can be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.acquisition import FACTS, SHORTCUTS, availability, shortcut_table
from features.cache.schema import COLUMNS, SeriesRows
from features.cache.writer import write
from features.table import Source, Table, open_source

SETTINGS = {"dim": 2, "dtype": "float32", "precision": "float32"}


def series(patient: str, sequence: str, brain: list[float], views: int = 0, **changes: Any) -> SeriesRows:
    """One series of len(brain) images, `views` augmented views of each; a change is one value or one per image."""
    n = len(brain)
    own: dict[str, Any] = {name: np.ones(n, t) for name, t in COLUMNS.items() if name not in ("patient", "sequence")}
    own |= {"plane": np.array(["axial"] * n, object), "source": np.array([f"{k}.dcm" for k in range(n)], object)}
    own |= {"brain_fraction": np.array(brain, np.float32), "position": 5 * np.arange(n, dtype=np.float32)}
    for name, value in changes.items():
        own[name] = np.array([value] * n if np.ndim(value) == 0 else value, own[name].dtype)
    columns = {name: np.concatenate([values] * (views + 1)) for name, values in own.items()}
    columns["view"] = np.repeat(np.arange(views + 1, dtype=np.int16), n)
    features = np.random.default_rng(n).normal(size=(n * (views + 1), 2)).astype(np.float32)
    return SeriesRows(patient, sequence, "f" * 32, "float32", features, columns)


def source_of(folder: Path, *blocks: SeriesRows) -> Source:
    write(folder / "f.h5", SETTINGS, list(blocks))
    return open_source(folder / "f.h5")


def facts(table: Table, patient: str, sequence: str) -> dict[str, float]:
    row = table.X[list(table.patient).index(patient)]
    return {c.split()[1]: float(x) for c, x in zip(table.columns, row, strict=True) if c.split()[0] == sequence}


def test_every_fact_by_hand(tmp_path: Path) -> None:
    made = {
        "height": 256,
        "width": 192,
        "spacing_row": 0.5,
        "spacing_column": 0.75,
        "window_low": 3,
        "window_high": 900,
    }
    block = series("7", "T2w", [0, 0.2, 0.6, 0.2], views=2, plane="coronal", position=[-10, -4, 2, 8], **made)
    table = shortcut_table(source_of(tmp_path, block))
    assert table.columns == [f"T2w {fact}" for fact in (*FACTS, "missing")]
    assert facts(table, "7", "T2w") == pytest.approx(
        {**made, "slices": 4, "blank": 1, "axial": 0, "coronal": 1, "sagittal": 0, "slice_step": 6, "brain_mean": 0.25, "brain_max": 0.6, "missing": 0}
    )  # fmt: skip


def test_one_row_per_patient_and_a_missing_sequence_says_so(tmp_path: Path) -> None:
    source = source_of(
        tmp_path, series("10", "FLAIR", [0.1] * 3), series("2", "T1w", [0.1] * 5), series("2", "FLAIR", [0.1] * 4),
        series("11", "FLAIR", []),
    )  # fmt: skip
    table = shortcut_table(source)
    assert (table.sequence, table.patient.tolist(), table.view.tolist()) == (SHORTCUTS, ["2", "10", "11"], [0, 0, 0])
    assert table.X.shape == (3, 2 * (len(FACTS) + 1))
    assert table.X.dtype == np.float32
    assert [facts(table, p, "FLAIR")["slices"] for p in ("2", "10")] == [4, 3]
    for patient, sequence in (("10", "T1w"), ("11", "T1w"), ("11", "FLAIR")):
        own = facts(table, patient, sequence)
        assert own.pop("missing") == 1
        assert np.isnan(list(own.values())).all()
    assert [c.split()[0] for c in shortcut_table(source, ["T1w"]).columns] == ["T1w"] * (len(FACTS) + 1)


def test_what_is_not_known_is_not_a_number(tmp_path: Path) -> None:
    unknown = series("1", "FLAIR", [0.1, 0.2], position=np.nan, spacing_row=[np.nan, 2], plane="unknown")
    own = facts(shortcut_table(source_of(tmp_path, unknown, series("2", "FLAIR", [0.3]))), "1", "FLAIR")
    assert np.isnan(own["slice_step"])
    assert own["spacing_row"] == 2
    assert (own["axial"], own["coronal"], own["sagittal"], own["missing"]) == (0, 0, 0, 0)
    single = facts(shortcut_table(open_source(tmp_path / "f.h5")), "2", "FLAIR")
    assert np.isnan(single["slice_step"])


def test_pixels_and_features_do_not_matter(tmp_path: Path) -> None:
    """Other vectors and other pixel digests, the same table: what the shortcut head sees is not the image."""
    block, other = (series("1", "FLAIR", [0.1, 0.2, 0.3]) for _ in range(2))
    other.features = other.features + 100
    other.columns["pixel_digest"] = np.array([b"x"] * 3, "S32")
    (tmp_path / "a").mkdir()
    first, second = (shortcut_table(source_of(d, b)) for d, b in ((tmp_path, block), (tmp_path / "a", other)))
    assert np.array_equal(first.X, second.X, equal_nan=True)


def test_mixed_planes_are_shares(tmp_path: Path) -> None:
    mixed = series("1", "FLAIR", [0.1] * 4, plane=["axial", "axial", "axial", "sagittal"], position=[0, 2, 4, 90])
    own = facts(shortcut_table(source_of(tmp_path, mixed)), "1", "FLAIR")
    assert (own["axial"], own["sagittal"], own["slice_step"]) == (0.75, 0.25, 2)


def test_availability_counts_images_that_can_be_used(tmp_path: Path) -> None:
    source = source_of(
        tmp_path, series("2", "FLAIR", [0, 0.1, 0.2, 0], views=3), series("2", "T1w", [0, 0]), series("3", "FLAIR", []),
        series("10", "T1w", [0.1, 0.1, 0.1], plane=["sagittal", "coronal", "sagittal"]),
    )  # fmt: skip
    assert availability(source) == {
        "2": {"FLAIR": {"slices": 2, "plane": "axial"}},
        "3": {},
        "10": {"T1w": {"slices": 3, "plane": "sagittal"}},
    }
