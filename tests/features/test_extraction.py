"""The loop of stage 1: a rerun computes only what is missing, and the cache does not depend on how it came about."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from cohort_material import SECRETS, plant
from PIL import Image
from syrupy.assertion import SnapshotAssertion

from cli.words.cache import summary_lines
from features.cache.checks import verify
from features.cache.reader import Cache
from features.cache.writer import write
from features.extraction import Summary, extract
from features.scans.find import Skipped, find_scans

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.system.files.os.fsync", lambda _: None)


@pytest.fixture
def cohort(tmp_path: Path, write_dicom: Write) -> Path:
    """Patients 1, 2 and 10 with FLAIR and T1w of four slices: a blank one, two equal ones and another."""
    for patient in ("1", "2", "10"):
        add_patient(tmp_path / "cohort", patient, write_dicom)
    return tmp_path / "cohort"


def add_patient(cohort: Path, patient: str, write_dicom: Write) -> None:
    for sequence in ("FLAIR", "T1w"):
        rng = np.random.default_rng([*os.fsencode(patient), *sequence.encode()])
        a, b = rng.integers(1, 3000, (2, 16, 16)).astype(np.uint16)
        for k, pixels in enumerate((0 * a, a, a, b)):
            write_dicom(
                cohort / patient / sequence / f"Image-{k}.dcm", pixels, InstanceNumber=k,
                ImageOrientationPatient=[1, 0, 0, 0, 1, 0], ImagePositionPatient=[0, 0, 5 * k],
            )  # fmt: skip


def run(cohort: Path, out: Path, embed: Any, **options: Any) -> Summary:
    return extract(find_scans([cohort]), out, embed=embed, **{"workers": 0, **options})


class Breaking:
    """An embedder that fails after some calls."""

    def __init__(self, embed: Any, calls: int) -> None:
        self.inner, self.left = embed, calls
        self.dim, self.precision, self.settings = embed.dim, embed.precision, embed.settings

    def __call__(self, images: np.ndarray) -> np.ndarray:
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        return self.inner(images)


@pytest.mark.slow
def test_features_columns_and_summary(cohort: Path, tmp_path: Path, cheap_embedder: Any) -> None:
    out = tmp_path / "new/folder/f.h5"
    summary = run(cohort, out, cheap_embedder)
    assert (summary.n_patients, summary.n_series_new, summary.n_series_kept, summary.n_slices_new) == (3, 6, 0, 24)
    assert summary.slices == {("FLAIR", "axial"): 12, ("T1w", "axial"): 12}
    assert (summary.n_blank, summary.n_views, summary.skipped, summary.notes) == (6, 0, [], [])
    assert verify(out) == []
    with Cache(out) as cache:
        assert cache.series["patient"].tolist() == ["1", "1", "2", "2", "10", "10"]
        assert cache.settings["versions"].startswith('{"tensorflow": ')
        assert cache.settings["augment_seed"] == 0
        features = cache.features().reshape(6, 4, 16)
        assert cache.column("position").reshape(6, 4).tolist() == [[0, 5, 10, 15]] * 6
    assert not features[:, 0].any()
    assert (features[:, 1] == features[:, 2]).all()
    assert (features[:, 1] != features[:, 3]).any(axis=1).all()
    assert [p.name for p in out.parent.iterdir()] == ["f.h5"]


@pytest.mark.slow
def test_each_vector_belongs_to_its_slice(cohort: Path, tmp_path: Path, cheap_embedder: Any) -> None:
    from features.scans.prepare import prepare_series

    run(cohort, tmp_path / "f.h5", cheap_embedder)
    series = find_scans([cohort]).series
    with Cache(tmp_path / "f.h5") as cache:
        for s in series:
            images = prepare_series(s, size=224, normalize="series", resize="pad", plane="axial")
            mine = (cache.column("patient") == s.patient) & (cache.column("sequence") == s.sequence)
            np.testing.assert_array_equal(cache.features()[mine], cheap_embedder(images.pixels))
            assert cache.column("pixel_digest")[mine].tolist() == images.columns["pixel_digest"].tolist()


@pytest.mark.slow
def test_rerun_computes_nothing_and_leaves_the_file_alone(cohort: Path, tmp_path: Path, cheap_embedder: Any) -> None:
    out = tmp_path / "f.h5"
    run(cohort, out, cheap_embedder)
    seen, before, inode = cheap_embedder.n_images, out.read_bytes(), out.stat().st_ino
    summary = run(cohort, out, cheap_embedder)
    assert (summary.n_series_new, summary.n_series_kept, summary.n_patients) == (0, 6, 3)
    assert summary.slices == {("FLAIR", "axial"): 12, ("T1w", "axial"): 12}
    assert cheap_embedder.n_images == seen
    assert (out.read_bytes(), out.stat().st_ino) == (before, inode)


@pytest.mark.slow
@pytest.mark.parametrize("late", ["0", "3", "02"])
def test_a_patient_added_later_gives_the_file_of_a_fresh_extraction(
    cohort: Path, tmp_path: Path, cheap_embedder: Any, write_dicom: Write, late: str
) -> None:
    (cohort / "1/T1w/notes.txt").write_text("x")
    run(cohort, tmp_path / "grown.h5", cheap_embedder)
    add_patient(cohort, late, write_dicom)
    summary = run(cohort, tmp_path / "grown.h5", cheap_embedder)
    assert (summary.n_series_new, summary.n_series_kept) == (2, 6)
    run(cohort, tmp_path / "fresh.h5", cheap_embedder)
    assert (tmp_path / "grown.h5").read_bytes() == (tmp_path / "fresh.h5").read_bytes()


@pytest.mark.slow
def test_two_cohorts_in_either_order_or_at_once(
    cohort: Path, tmp_path: Path, cheap_embedder: Any, write_dicom: Write
) -> None:
    other = tmp_path / "other"
    add_patient(other, "5", write_dicom)
    (cohort / "1/DWI").mkdir()
    (other / "5/T1w/Image-9.dcm").write_bytes(b"")
    for order in ((cohort, other), (other, cohort)):
        for one in order:
            run(one, tmp_path / f"{order[0].name}.h5", cheap_embedder)
    extract(find_scans([cohort, other]), tmp_path / "both.h5", embed=cheap_embedder, workers=0)
    both = (tmp_path / "both.h5").read_bytes()
    assert (tmp_path / "cohort.h5").read_bytes() == both
    assert (tmp_path / "other.h5").read_bytes() == both
    with Cache(tmp_path / "both.h5") as cache:
        assert [s.source for s in cache.skipped] == ["1/DWI", "5/T1w/Image-9.dcm"]


@pytest.mark.slow
@pytest.mark.parametrize("calls", [0, 1, 4])
def test_an_interrupted_run_goes_on_where_it_stopped(
    cohort: Path, tmp_path: Path, cheap_embedder: Any, calls: int
) -> None:
    run(cohort, tmp_path / "whole.h5", cheap_embedder, skip_blank_and_equal=False)
    cheap_embedder.n_images = 0
    out = tmp_path / "f.h5"
    with pytest.raises(KeyboardInterrupt):
        run(cohort, out, Breaking(cheap_embedder, calls), skip_blank_and_equal=False)
    assert not out.exists()
    assert len(list((tmp_path / "f.h5.parts").iterdir())) == calls
    (tmp_path / "f.h5.parts/.half.h5.123.tmp").write_bytes(b"what a killed process leaves")
    summary = run(cohort, out, cheap_embedder, skip_blank_and_equal=False)
    assert (summary.n_series_kept, summary.n_series_new) == (calls, 6 - calls)
    assert cheap_embedder.n_images == 24
    assert out.read_bytes() == (tmp_path / "whole.h5").read_bytes()
    assert not (tmp_path / "f.h5.parts").exists()


@pytest.mark.slow
def test_an_interrupted_extension_keeps_the_published_cache(
    cohort: Path, tmp_path: Path, cheap_embedder: Any, write_dicom: Write
) -> None:
    out = tmp_path / "f.h5"
    run(cohort, out, cheap_embedder)
    before = out.read_bytes()
    add_patient(cohort, "11", write_dicom)
    with pytest.raises(KeyboardInterrupt):
        run(cohort, out, Breaking(cheap_embedder, 2))
    assert out.read_bytes() == before
    assert run(cohort, out, cheap_embedder).n_series_new == 1


@pytest.mark.slow
def test_a_crash_after_publishing_does_no_harm(
    cohort: Path, tmp_path: Path, cheap_embedder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "f.h5"

    def killed(_: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("features.cache.parts.shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            run(cohort, out, cheap_embedder)
    before = out.read_bytes()
    assert run(cohort, out, cheap_embedder).n_series_new == 0
    assert out.read_bytes() == before
    assert not (tmp_path / "f.h5.parts").exists()


# --- settings ------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"normalize": "slice"}, "normalize is 'series' there, 'slice' here"),
        ({"resize": "stretch"}, "resize is 'pad' there, 'stretch' here"),
        ({"plane": "coronal"}, "plane is 'axial' there, 'coronal' here"),
        ({"augment": 1, "seed": 3}, "augment is 0 there, 1 here; augment_seed is 0 there, 3 here"),
        ({"dtype": "float16"}, "dtype is 'float32' there, 'float16' here"),
    ],
)
def test_other_settings_are_refused_by_name(
    cohort: Path, tmp_path: Path, cheap_embedder: Any, options: Any, named: str
) -> None:
    out = tmp_path / "f.h5"
    run(cohort, out, cheap_embedder)
    before = out.read_bytes()
    with pytest.raises(ValueError) as caught:
        run(cohort, out, cheap_embedder, **options)
    advice = "use the same settings, or write to another --out"
    assert str(caught.value) == f"{str(out)!r} was made with other settings: {named}; {advice}"
    assert out.read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("key", ["backbone", "weights_sha256", "preprocess", "input_size", "pooling"])
def test_another_embedder_is_refused_by_name(cohort: Path, tmp_path: Path, cheap_embedder: Any, key: str) -> None:
    run(cohort, tmp_path / "f.h5", cheap_embedder)
    cheap_embedder.settings[key] = 448 if key == "input_size" else "other"
    with pytest.raises(ValueError, match=f"made with other settings: {key} is "):
        run(cohort, tmp_path / "f.h5", cheap_embedder)


def test_parts_of_another_setting_are_refused_too(cohort: Path, tmp_path: Path, cheap_embedder: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(cohort, tmp_path / "f.h5", Breaking(cheap_embedder, 2))
    with pytest.raises(ValueError, match=r"f\.h5\.parts/.*normalize is 'series' there, 'none' here"):
        run(cohort, tmp_path / "f.h5", cheap_embedder, normalize="none")


@pytest.mark.slow
def test_the_seed_only_matters_with_augmentation(cohort: Path, tmp_path: Path, cheap_embedder: Any) -> None:
    run(cohort, tmp_path / "f.h5", cheap_embedder, seed=1)
    assert run(cohort, tmp_path / "f.h5", cheap_embedder, seed=2).n_series_new == 0


@pytest.mark.slow
def test_precision_alone_joins_with_a_note(
    cohort: Path, tmp_path: Path, cheap_embedder: Any, write_dicom: Write, snapshot: SnapshotAssertion
) -> None:
    out = tmp_path / "f.h5"
    run(cohort, out, cheap_embedder)
    add_patient(cohort, "11", write_dicom)
    cheap_embedder.precision = "mixed_float16"
    summary = run(cohort, out, cheap_embedder)
    assert summary.notes[:-1] == snapshot
    with Cache(out) as cache:
        assert cache.settings["precision"] == "float32+mixed_float16"
        assert cache.series["precision"].tolist() == ["float32"] * 6 + ["mixed_float16"] * 2
    for precision in ("float32", "mixed_float16"):
        cheap_embedder.precision = precision
        assert run(cohort, out, cheap_embedder).notes == []


@pytest.mark.slow
@pytest.mark.parametrize("key", ["versions", "code_version"])
def test_other_versions_join_only_if_accepted(
    cohort: Path, tmp_path: Path, cheap_embedder: Any, write_dicom: Write, key: str
) -> None:
    out = tmp_path / "f.h5"
    run(cohort, out, cheap_embedder)
    with h5py.File(out, "r+") as f:
        ours = f.attrs[key]
        f.attrs[key] = "0.0.0"
    add_patient(cohort, "11", write_dicom)
    with pytest.raises(ValueError, match=f"{key} is '0.0.0' there, .*, or pass --accept-versions"):
        run(cohort, out, cheap_embedder)
    summary = run(cohort, out, cheap_embedder, accept_versions=True)
    assert summary.notes[:-1] == [f"warning: rows with {key} 0.0.0 and {ours} are joined in one cache"]
    with Cache(out) as cache:
        assert cache.settings[key] == f"0.0.0 + {ours}"
    assert run(cohort, out, cheap_embedder).n_series_new == 0


@pytest.mark.slow
def test_accepted_versions_do_not_excuse_other_settings(cohort: Path, tmp_path: Path, cheap_embedder: Any) -> None:
    run(cohort, tmp_path / "f.h5", cheap_embedder)
    with pytest.raises(ValueError, match="normalize is") as caught:
        run(cohort, tmp_path / "f.h5", cheap_embedder, normalize="slice", accept_versions=True)
    assert "--accept-versions" not in str(caught.value)


# --- files ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_changed_series_is_extracted_again(
    cohort: Path, tmp_path: Path, cheap_embedder: Any, write_dicom: Write, snapshot: SnapshotAssertion
) -> None:
    out = tmp_path / "f.h5"
    (cohort / "2/FLAIR/Image-0.dcm").write_bytes(b"")
    assert [s.source for s in run(cohort, out, cheap_embedder).skipped] == ["2/FLAIR/Image-0.dcm"]
    write_dicom(cohort / "2/FLAIR/Image-0.dcm", np.eye(16, dtype=np.uint16))
    summary = run(cohort, out, cheap_embedder)
    assert (summary.n_series_new, summary.n_series_kept, summary.skipped) == (1, 5, [])
    assert summary.notes[0] == snapshot
    run(cohort, tmp_path / "fresh.h5", cheap_embedder)
    assert out.read_bytes() == (tmp_path / "fresh.h5").read_bytes()


@pytest.mark.slow
def test_another_file_under_an_old_name_is_warned_of_where_size_does_not_tell(
    cohort: Path, tmp_path: Path, cheap_embedder: Any, snapshot: SnapshotAssertion
) -> None:
    out = tmp_path / "f.h5"
    run(cohort, out, cheap_embedder)
    before = out.read_bytes()
    assert not any("unchanged" in note for note in run(cohort, out, cheap_embedder).notes)
    path = cohort / "2/FLAIR/Image-0.dcm"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    later = out.stat().st_mtime + 5
    os.utime(path, (later, later))
    summary = run(cohort, out, cheap_embedder)
    assert summary.notes == snapshot
    assert (summary.n_series_new, out.read_bytes()) == (0, before)


@pytest.mark.slow
def test_unreadable_files_are_recorded_and_counted(cohort: Path, tmp_path: Path, cheap_embedder: Any) -> None:
    (cohort / "2/FLAIR/Image-1.dcm").write_bytes(b"DOE^JANE" * 99)
    for k in range(4):
        (cohort / f"10/T1w/Image-{k}.dcm").write_bytes(b"")
    scans = find_scans([cohort])
    summary = extract(scans, tmp_path / "f.h5", embed=cheap_embedder, workers=0)
    assert [(s.patient, s.sequence, s.source) for s in summary.skipped] == [
        ("2", "FLAIR", "2/FLAIR/Image-1.dcm"), *(("10", "T1w", f"10/T1w/Image-{k}.dcm") for k in range(4)),
    ]  # fmt: skip
    assert (summary.n_slices_new, summary.n_series_new) == (19, 6)
    assert "  skipped: 5" in summary_lines(summary)
    assert extract(scans, tmp_path / "f.h5", embed=cheap_embedder, workers=0).n_series_new == 0


def test_strict_stops_at_the_first_file(cohort: Path, tmp_path: Path, cheap_embedder: Any) -> None:
    (cohort / "2/FLAIR/Image-1.dcm").write_bytes(b"")
    with pytest.raises(ValueError, match=r"--strict: 2/FLAIR/Image-1\.dcm: holds no pixel data"):
        run(cohort, tmp_path / "f.h5", cheap_embedder, strict=True)
    assert not (tmp_path / "f.h5").exists()
    (cohort / "1/DWI").mkdir()
    with pytest.raises(ValueError, match="--strict: 1/DWI: the folder's name is none"):
        run(cohort, tmp_path / "f.h5", cheap_embedder, strict=True)


@pytest.mark.slow
def test_what_the_search_skips_is_recorded_even_if_nothing_is_to_compute(
    cohort: Path, tmp_path: Path, cheap_embedder: Any
) -> None:
    run(cohort, tmp_path / "f.h5", cheap_embedder)
    (cohort / "3/DWI").mkdir(parents=True)
    summary = run(cohort, tmp_path / "f.h5", cheap_embedder)
    expected = [Skipped("3", "", "3/DWI", "the folder's name is none of the known sequences")]
    assert summary.skipped == expected
    with Cache(tmp_path / "f.h5") as cache:
        assert cache.skipped == expected
        assert cache.n == 24


@pytest.mark.slow
def test_an_excluded_patient_who_is_in_the_cache_already_is_named(
    cohort: Path, tmp_path: Path, cheap_embedder: Any, snapshot: SnapshotAssertion
) -> None:
    run(cohort, tmp_path / "f.h5", cheap_embedder)
    scans = find_scans([cohort], exclude=["2"])
    (note,) = extract(scans, tmp_path / "f.h5", embed=cheap_embedder, workers=0).notes
    assert note == snapshot


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_names_dates_and_uids_of_the_headers_are_nowhere_in_cache_parts_and_summary(
    cohort: Path, tmp_path: Path, cheap_embedder: Any, capfd: pytest.CaptureFixture[str], workers: int
) -> None:
    for k, path in enumerate(sorted((cohort / "1/FLAIR").iterdir())):
        plant(path, k)
    capfd.readouterr()
    broken = cohort / "1/FLAIR/Image-3.dcm"
    broken.write_bytes(broken.read_bytes()[:-9])
    out = tmp_path / "f.h5"
    with pytest.raises(KeyboardInterrupt):
        run(cohort, out, Breaking(cheap_embedder, 2), workers=workers, skip_blank_and_equal=False)
    written = [p.read_bytes() for p in (tmp_path / "f.h5.parts").iterdir()]
    assert len(written) == 2
    scans = find_scans([cohort])
    summary = extract(scans, out, embed=cheap_embedder, workers=workers)
    assert len(summary.skipped) == 3
    printed = capfd.readouterr()
    written += [out.read_bytes(), "\n".join([*summary_lines(summary), printed.out, printed.err]).encode()]
    for secret in (*SECRETS, str(tmp_path / "cohort").encode()):
        assert not any(secret in raw for raw in written), secret


@pytest.mark.slow
def test_odd_but_valid_series_give_finite_rows(tmp_path: Path, cheap_embedder: Any, write_dicom: Write) -> None:
    """One slice, one pixel, all blank, many sizes and voxels, many slices; names long, spaced and in any script."""
    rng = np.random.default_rng(0)
    shapes = [(1, 1), (1, 40), (40, 1), (16, 16), (30, 20)]
    patients = {
        "one slice": [rng.integers(0, 99, (16, 16))],
        "\u0e44\u0e17\u0e22 \u4e2d\u6587 \u0441\u043a\u0430\u043d": [rng.integers(0, 99, shape) for shape in shapes],
        "n" * 250: [np.full((1, 1), 7)] * 2,
        "blank": [np.zeros((16, 16))] * 3,
    }
    for patient, images in patients.items():
        for k, pixels in enumerate(images):
            write_dicom(
                tmp_path / "cohort" / patient / "FLAIR" / f"{'i' * 240}{k}.dcm", pixels.astype(np.uint16), InstanceNumber=k,
                PixelSpacing=[0.01 + k, 100], ImageOrientationPatient=[1, 0, 0, 0, 1, 0], ImagePositionPatient=[0, 0, k],
            )  # fmt: skip
    many = tmp_path / "cohort/many/FLAIR"
    many.mkdir(parents=True)
    for k in range(2000):
        Image.fromarray(rng.integers(0, 99, (2, 2), np.uint8)).save(many / f"{k}.png")
    summary = run(tmp_path / "cohort", tmp_path / "f.h5", cheap_embedder)
    assert (summary.n_patients, summary.n_slices_new, summary.skipped) == (5, 2011, [])
    assert verify(tmp_path / "f.h5") == []
    with Cache(tmp_path / "f.h5") as cache:
        assert set(cache.column("patient")) == {*patients, "many"}
        assert cache.column("instance")[cache.column("patient") == "many"].tolist() == list(range(2000))
        assert np.isfinite(cache.features()).all()
        assert (cache.column("brain_fraction")[cache.column("patient") == "blank"] == 0).all()


# --- how it is computed --------------------------------------------------------------------------------


@pytest.mark.slow
def test_blank_and_equal_slices_are_embedded_once(cohort: Path, tmp_path: Path, cheap_embedder: Any) -> None:
    run(cohort, tmp_path / "all.h5", cheap_embedder, skip_blank_and_equal=False)
    assert cheap_embedder.n_images == 24
    cheap_embedder.n_images = 0
    run(cohort, tmp_path / "once.h5", cheap_embedder)
    assert cheap_embedder.n_images == 1 + 6 * 2
    assert (tmp_path / "once.h5").read_bytes() == (tmp_path / "all.h5").read_bytes()


@pytest.mark.slow
def test_worker_processes_give_the_same_file(cohort: Path, tmp_path: Path, cheap_embedder: Any) -> None:
    for workers in (0, 2):
        run(cohort, tmp_path / f"{workers}.h5", cheap_embedder, workers=workers, augment=1)
    assert (tmp_path / "2.h5").read_bytes() == (tmp_path / "0.h5").read_bytes()


@pytest.mark.slow
def test_augmented_views_are_rows_of_their_own(cohort: Path, tmp_path: Path, cheap_embedder: Any) -> None:
    run(cohort, tmp_path / "plain.h5", cheap_embedder)
    summary = run(cohort, tmp_path / "f.h5", cheap_embedder, augment=2, seed=5)
    assert (sum(summary.slices.values()), summary.n_blank, summary.n_views) == (24, 6, 48)
    with Cache(tmp_path / "f.h5") as cache, Cache(tmp_path / "plain.h5") as plain:
        assert cache.settings["augment_seed"] == 5
        assert cache.column("view").reshape(6, 3, 4).tolist() == [[[0] * 4, [1] * 4, [2] * 4]] * 6
        features = cache.features().reshape(6, 3, 4, 16)
        assert (features[:, 0].reshape(24, 16) == plain.features()).all()
        assert (features[:, 1, 1:] != features[:, 0, 1:]).any(axis=-1).all()
        assert not features[:, :, 0].any()


@pytest.mark.slow
def test_float16_is_rounded_once_and_refused_where_it_overflows(
    cohort: Path, tmp_path: Path, cheap_embedder: Any
) -> None:
    run(cohort, tmp_path / "f32.h5", cheap_embedder)
    run(cohort, tmp_path / "f16.h5", cheap_embedder, dtype="float16")
    with Cache(tmp_path / "f32.h5") as single, Cache(tmp_path / "f16.h5") as half:
        assert half.features().dtype == np.float16
        assert (half.features() == single.features().astype(np.float16)).all()
    large = type(cheap_embedder)()
    inner = type(large).__call__

    class Large(type(large)):  # type: ignore[misc]
        def __call__(self, images: np.ndarray) -> np.ndarray:
            return inner(self, images) * 1e6

    with pytest.raises(ValueError, match="too large for float16; use --dtype float32"):
        run(cohort, tmp_path / "x.h5", Large(), dtype="float16")


def test_progress_is_told_of_every_series(cohort: Path, tmp_path: Path, cheap_embedder: Any) -> None:
    calls: list[Any] = []

    class Bar:
        def __init__(self, **options: Any) -> None:
            calls.append(options)

        def update(self) -> None:
            calls.append("update")

        def set_postfix_str(self, text: str, refresh: bool = True) -> None:
            assert text.endswith(" slices")

        def close(self) -> None:
            calls.append("close")

    run(cohort, tmp_path / "f.h5", cheap_embedder, progress=Bar)
    assert calls == [{"total": 6, "unit": "series"}, *["update"] * 6, "close"]


def test_names_that_are_no_utf8_go_through_to_the_printed_summary(
    tmp_path: Path, cheap_embedder: Any, write_dicom: Write
) -> None:
    odd = os.fsdecode(b"p\xff")
    add_patient(tmp_path / "cohort", odd, write_dicom)
    (tmp_path / "cohort" / odd / "DWI").mkdir()
    scans = find_scans([tmp_path / "cohort"])
    summary = extract(scans, tmp_path / "f.h5", embed=cheap_embedder, workers=0)
    assert summary.n_series_new == 2
    assert extract(scans, tmp_path / "f.h5", embed=cheap_embedder, workers=0).n_series_new == 0
    text = "\n".join(summary_lines(summary))
    assert text.encode()
    assert "p\\udcff/DWI: the folder's name" in text


def test_closing_summary_in_words(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    for name in ("1/FLAIR", "2/FLAIR", "2/T1w", "9/FLAIR"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "a.dcm").touch()
    scans = find_scans([tmp_path], exclude=["9"])
    summary = Summary(
        Path("f.h5"), scans, n_patients=2, n_series_new=3, n_series_kept=1, n_slices_new=50, seconds=2.0, n_blank=4, n_views=7,
        notes=["note well"],
    )  # fmt: skip
    summary.slices.update({("FLAIR", "axial"): 30, ("FLAIR", "sagittal"): 5, ("T1w", "coronal"): 8})
    summary.skipped = [Skipped("1", "FLAIR", f"1/FLAIR/{k}", "why") for k in range(12)]
    assert summary_lines(summary) == snapshot


@pytest.mark.slow
@pytest.mark.parametrize("damage", [lambda raw: raw[:99], lambda raw: raw.replace(b"axial", b"axiaI")])
def test_a_damaged_part_is_named_and_made_again(cohort: Path, tmp_path: Path, cheap_embedder: Any, damage: Any) -> None:
    run(cohort, tmp_path / "whole.h5", cheap_embedder)
    with pytest.raises(KeyboardInterrupt):
        run(cohort, tmp_path / "f.h5", Breaking(cheap_embedder, 2))
    part = next((tmp_path / "f.h5.parts").glob("*.h5"))
    part.write_bytes(damage(part.read_bytes()))
    summary = run(cohort, tmp_path / "f.h5", cheap_embedder)
    assert summary.notes[0].startswith("warning: a part of an earlier run is damaged and is extracted again (")
    assert (summary.n_series_kept, summary.n_series_new) == (0, 6)
    assert (tmp_path / "f.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


@pytest.mark.slow
def test_a_damaged_cache_is_not_copied_as_if_it_were_sound(
    cohort: Path, tmp_path: Path, cheap_embedder: Any, write_dicom: Write
) -> None:
    run(cohort, tmp_path / "f.h5", cheap_embedder)
    with h5py.File(tmp_path / "f.h5", "r+") as f:
        f["features"][9, 3] += 1
    before = (tmp_path / "f.h5").read_bytes()
    add_patient(cohort, "11", write_dicom)
    with pytest.raises(ValueError, match="f.h5' is damaged: patient '2' FLAIR differs from the digest .* repair"):
        run(cohort, tmp_path / "f.h5", cheap_embedder)
    assert (tmp_path / "f.h5").read_bytes() == before
    assert len(list((tmp_path / "f.h5.parts").iterdir())) == 2, "what was extracted meanwhile is kept"


def test_a_cohort_without_series_of_the_wanted_kind_still_publishes(tmp_path: Path, cheap_embedder: Any) -> None:
    summary = extract(find_scans([]), tmp_path / "f.h5", embed=cheap_embedder, workers=0)
    assert (summary.n_patients, summary.n_series_new) == (0, 0)
    assert verify(tmp_path / "f.h5") == []
    write(tmp_path / "g.h5", {"dim": 16, "dtype": "float32"}, [])
    with pytest.raises(ValueError, match="made with other settings: backbone is None there"):
        extract(find_scans([]), tmp_path / "g.h5", embed=cheap_embedder, workers=0)


@pytest.mark.slow
def test_the_real_cohort(shared: Path, tmp_path: Path, cheap_embedder: Any) -> None:
    scans = find_scans([shared / "data/rsna_like_tcia/train"], sequences=["T2w"])
    summary = extract(scans, tmp_path / "f.h5", embed=cheap_embedder, workers=0)
    assert summary.n_series_new == 5
    assert summary.skipped == []
    assert summary.slices == {("T2w", "axial"): 26, ("T2w", "coronal"): 120, ("T2w", "sagittal"): 40}
    assert "  T2w is missing in 1 of 6 patients: 00017" in summary_lines(summary)
