"""Slices -> 8-bit squares: percentile windows, black backgrounds, shapes in millimetres, order, augmentation."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from features.scans import eight_bit
from features.scans.eight_bit import brain_fraction
from features.scans.find import Series, find_scans
from features.scans.orientation import RawSlice
from features.scans.prepare import (
    Images,
    augmented,
    fit,
    order,
    pixel_digest,
    prepare_series,
)

Write = Callable[..., Path]
NAN = float("nan")


def make(pixels: Any, **changes: Any) -> RawSlice:
    values: dict[str, Any] = {
        "source": "a", "instance": 1, "spacing": (1.0, 1.0), "plane": "axial", "position": 0.0,
        "full_range": (0.0, 65535.0), "eight_bit": False,
    }  # fmt: skip
    return RawSlice(np.asarray(pixels), **{**values, **changes})


def prepare(cohort: Path, sequence: str = "FLAIR", **changes: Any) -> Images:
    series = next(s for s in find_scans([cohort]).series if s.sequence == sequence)
    return prepare_series(series, **{"size": 224, "normalize": "series", "resize": "pad", "plane": "axial", **changes})


def to_eight_bit(slices: list[RawSlice], normalize: str) -> tuple[Any, Any, Any, Any]:
    """Slices kept, their images, their windows, what was refused."""
    kept, refused = eight_bit.to_eight_bit(slices, normalize)
    return [e.raw for e in kept], [e.image for e in kept], [e.window for e in kept], refused


# --- 8 bit ---------------------------------------------------------------------------------------------


def test_series_window_is_the_percentiles_of_the_foreground_of_all_slices() -> None:
    # 0 is background; the foreground is 1 ... 1001, whose 0.5 and 99.5 percentiles are 6 and 996
    values = np.arange(1, 1002, dtype=np.uint16)
    a, b = np.zeros((40, 40), np.uint16), np.zeros((40, 40), np.uint16)
    a.flat[:500], b.flat[:501] = values[:500], values[500:]
    _, (image_a, image_b), windows, refused = to_eight_bit([make(a), make(b)], "series")
    assert windows == [(6.0, 996.0)] * 2
    assert refused == []
    assert image_a.flat[5] == 0
    assert image_a.flat[105] == round(100 * 255 / 990)
    assert image_b.flat[-1] == 0
    assert image_b.flat[495] == 255
    assert (image_b.flat[496], image_b.flat[500]) == (255, 255)


@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_the_window_is_the_percentiles_of_the_foreground(dtype: type) -> None:
    rng = np.random.default_rng(7)
    for k in range(200):
        top = int(2 ** rng.uniform(1, 14.5))
        low = 0 if dtype is np.uint16 else -int(rng.integers(0, top))
        images = [
            (rng.integers(low, top, rng.integers(1, 30, 2)) * (rng.random() > 0.2)).astype(dtype)
            for _ in range(1 + k % 3)
        ]
        values = np.concatenate([i.ravel() for i in images])
        foreground = values[(values > values.min()) & (values != 0)]
        window = np.percentile(foreground.astype(float), (0.5, 99.5)).tolist() if foreground.size else [values[0]] * 2
        assert to_eight_bit([make(i) for i in images], "series")[2] == [tuple(window)] * len(images)


def test_far_apart_values_of_16_bits_do_not_overflow_between_them() -> None:
    image = np.array([[-32768, -30000, 30000]], np.int16)
    assert to_eight_bit([make(image)], "series")[2] == [(pytest.approx(-29700), pytest.approx(29700))]


def test_slice_window_is_each_slices_own_and_none_is_the_types() -> None:
    dim, bright = make([[0, 10, 20]]), make([[0, 1000, 2000]])
    _, (a, b), windows, _ = to_eight_bit([dim, bright], "slice")
    assert windows == [pytest.approx((10.05, 19.95)), pytest.approx((1005, 1995))]
    assert a.tolist() == b.tolist() == [[0, 0, 255]]
    _, (a, b), _, _ = to_eight_bit([dim, bright], "series")
    assert (a.tolist(), b.tolist()) == ([[0, 0, 1]], [[0, 128, 255]])
    _, (a, b), windows, _ = to_eight_bit([dim, make([[0, 32768, 65535]])], "none")
    assert windows == [(0, 65535)] * 2
    assert (a.tolist(), b.tolist()) == ([[0, 0, 0]], [[0, 128, 255]])


def test_none_refuses_floats_without_a_range_and_keeps_the_others() -> None:
    floats = make(np.array([[0.5, 1]], np.float32), full_range=None)
    kept, images, windows, refused = to_eight_bit([floats, make([[0, 65535]])], "none")
    assert (len(kept), len(images), len(windows)) == (1, 1, 1)
    assert refused == [(floats, "floating-point values have no full range for --normalize none; use series or slice")]


@pytest.mark.parametrize("background", [0.0, -0.5, -1024.0, 3.0])
def test_background_is_black_wherever_rescaling_puts_it(background: float) -> None:
    pixels = np.full((50, 50), background, np.float32)
    pixels[10:40, 10:40] = np.linspace(100, 200, 900).reshape(30, 30)
    _, (image,), ((low, high),), _ = to_eight_bit([make(pixels)], "series")
    assert (low, high) == pytest.approx((100.5, 199.5), abs=0.1)
    assert image[0, 0] == 0
    assert brain_fraction(image) == pytest.approx(0.36 * 0.95, abs=0.01)


@pytest.mark.parametrize("normalize", ["series", "slice", "none"])
@pytest.mark.parametrize("value", [0, 7])
def test_blank_slices_stay_blank_beside_others(normalize: str, value: int) -> None:
    _, (blank, other), _, _ = to_eight_bit([make(np.full((4, 4), value)), make([[0, 40000]])], normalize)
    assert not blank.any()
    assert other.any()
    assert brain_fraction(blank) == 0


def test_a_mask_becomes_black_and_white() -> None:
    _, (image,), _, _ = to_eight_bit([make([[0, 1], [1, 0]])], "series")
    assert image.tolist() == [[0, 255], [255, 0]]


@pytest.mark.parametrize("normalize", ["series", "slice", "none"])
def test_eight_bit_images_are_taken_as_they_are_and_do_not_move_the_window(normalize: str) -> None:
    eight = make(np.array([[3, 77, 200]], np.uint8), eight_bit=True)
    deep = make([[0, 10, 20]])
    _, (image, _), windows, _ = to_eight_bit([eight, deep], normalize)
    assert image.tolist() == [[3, 77, 200]]
    assert windows[0] == (0, 255)
    assert windows[1] == to_eight_bit([deep], normalize)[2][0]


def test_brain_fraction_counts_above_five_percent_of_the_window() -> None:
    assert brain_fraction(np.array([[0, 12, 13, 255]], np.uint8)) == 0.5


# --- shape ---------------------------------------------------------------------------------------------


def disc(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    inside = ((y + 0.5) / height - 0.5) ** 2 + ((x + 0.5) / width - 0.5) ** 2 < 0.35**2
    return np.where(inside, 255, 0).astype(np.uint8)


@pytest.mark.parametrize(
    ("shape", "spacing"), [((240, 240), (1.0, 1.0)), ((60, 240), (4.0, 1.0)), ((240, 80), (0.5, 1.5))]
)
def test_a_disc_in_millimetres_stays_a_disc(shape: tuple[int, int], spacing: tuple[float, float]) -> None:
    image = fit(disc(*shape), spacing, 224, "pad") > 127
    assert image.shape == (224, 224)
    assert image.any(axis=0).sum() == pytest.approx(0.7 * 224, abs=3)
    assert image.any(axis=1).sum() == pytest.approx(0.7 * 224, abs=3)


@pytest.mark.parametrize(
    ("shape", "spacing", "box"),
    [
        ((100, 200), (1.0, 1.0), (56, 168, 0, 224)),
        ((200, 100), (NAN, NAN), (0, 224, 56, 168)),
        ((100, 100), (1.0, 4.0), (84, 140, 0, 224)),
        ((1, 500), (1.0, 1.0), (111, 112, 0, 224)),
    ],
)
def test_padding_is_black_and_centred(shape: Any, spacing: Any, box: tuple[int, int, int, int]) -> None:
    top, bottom, left, right = box
    expected = np.zeros((224, 224), np.uint8)
    expected[top:bottom, left:right] = 200
    assert (fit(np.full(shape, 200, np.uint8), spacing, 224, "pad") == expected).all()


def test_stretch_fills_the_square() -> None:
    assert (fit(np.full((50, 100), 9, np.uint8), (1, 3), 32, "stretch") == 9).all()


@pytest.mark.parametrize("resize", ["pad", "stretch"])
def test_a_square_of_that_size_is_returned_bit_for_bit(resize: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (224, 224), np.uint8)
    assert (fit(image, (0.9, 0.9), 224, resize) == image).all()
    assert (fit(image, (NAN, NAN), 224, resize) == image).all()


def test_downsampling_averages() -> None:
    checker = (np.indices((448, 448)).sum(0) % 2 * 200).astype(np.uint8)
    inner = fit(checker, (1, 1), 224, "pad")[4:-4, 4:-4]
    assert abs(inner.astype(int) - 100).max() <= 2


@pytest.mark.parametrize("resize", ["pad", "stretch"])
def test_the_resize_is_pillows_bilinear_one_in_the_middle_of_a_black_square(resize: str) -> None:
    rng = np.random.default_rng(6)
    usual = (155, 192, 224, 240, 256, 310, 320, 448, 480, 512)
    for k in range(150):
        shape = tuple(rng.choice(usual, 2)) if k % 2 else tuple(rng.integers(1, 600, 2))
        image = np.zeros(shape, np.uint8)
        (top, bottom), (left, right) = (sorted(rng.integers(0, n + 1, 2)) for n in shape)
        image[top:bottom, left:right] = rng.integers(0, 256, (bottom - top, right - left))
        height, width = (max(1, round(224 * n / max(shape))) if resize == "pad" else 224 for n in shape)
        whole = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
        expected = np.zeros((224, 224), np.uint8)
        up, beside = (224 - height) // 2, (224 - width) // 2
        expected[up : up + height, beside : beside + width] = whole
        np.testing.assert_array_equal(fit(image, (1, 1), 224, resize), expected)


# --- order ---------------------------------------------------------------------------------------------


def test_order_is_geometry_then_instance_then_natural_name() -> None:
    prepare = [
        make([[0]], source="z", position=5.0, instance=1), make([[0]], source="y", position=-5.0, instance=9),
        make([[0]], source="p10", position=NAN, instance=2), make([[0]], source="p9", position=NAN, instance=2),
        make([[0]], source="x", position=NAN, instance=1), make([[0]], source="s", plane="sagittal", position=-99.0),
    ]  # fmt: skip
    for arrangement in (prepare, prepare[::-1]):
        assert [s.source for s in order(arrangement)] == ["y", "z", "x", "p9", "p10", "s"]


def test_series_is_ordered_by_geometry_whatever_the_files_are_called(tmp_path: Path, write_dicom: Write) -> None:
    for name, z in (("Image-1", 20), ("Image-2", -10), ("Image-3", 5)):
        write_dicom(
            tmp_path / f"1/FLAIR/{name}.dcm", np.full((4, 4), z + 100, np.uint16),
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0], ImagePositionPatient=[0, 0, z], InstanceNumber=7,
        )  # fmt: skip
    columns = prepare(tmp_path).columns
    assert columns["position"].tolist() == [-10, 5, 20]
    assert [s.rsplit("/")[-1] for s in columns["source"]] == ["Image-2.dcm", "Image-3.dcm", "Image-1.dcm"]


# --- whole series --------------------------------------------------------------------------------------


def save_png(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def test_an_eight_bit_png_of_the_right_size_passes_unchanged(tmp_path: Path) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (224, 224), np.uint8)
    save_png(tmp_path / "1/FLAIR/Image-5.png", pixels)
    for normalize in ("series", "slice", "none"):
        images = prepare(tmp_path, normalize=normalize)
        assert (images.pixels == pixels).all()
    columns = images.columns
    assert columns["pixel_digest"].tolist() == [pixel_digest(pixels)]
    assert (columns["instance"][0], columns["plane"][0], columns["view"][0]) == (5, "unknown", 0)
    assert (columns["height"][0], columns["width"][0]) == (224, 224)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_dicom_and_png_of_the_same_pixels_agree(tmp_path: Path, write_dicom: Write, dtype: type) -> None:
    rng = np.random.default_rng(4)
    for k in range(3):
        pixels = (rng.gamma(2, 20, (100, 120)).clip(0, 255) * (1 if dtype is np.uint8 else 50)).astype(dtype)
        pixels[:20] = 0
        write_dicom(tmp_path / f"dicom/1/FLAIR/Image-{k}.dcm", pixels, InstanceNumber=k)
        save_png(tmp_path / f"png/1/FLAIR/Image-{k}.png", pixels)
    a, b = prepare(tmp_path / "dicom"), prepare(tmp_path / "png")
    assert a.pixels.any()
    assert (a.pixels == b.pixels).all()
    assert (a.columns["window_high"] == b.columns["window_high"]).all()


def test_unreadable_files_are_skipped_with_their_reason_and_the_rest_goes_on(
    tmp_path: Path, write_dicom: Write
) -> None:
    write_dicom(tmp_path / "1/FLAIR/b.dcm", np.array([[0, 1]], np.uint16))
    (tmp_path / "1/FLAIR/a.dcm").write_bytes(b"")
    images = prepare(tmp_path)
    assert len(images.pixels) == 1
    assert [(s.patient, s.sequence, s.source, s.reason) for s in images.skipped] == [
        ("1", "FLAIR", "1/FLAIR/a.dcm", "holds no pixel data (not a DICOM image)")
    ]


@pytest.mark.parametrize("augment", [0, 2])
def test_a_series_without_one_readable_file_is_empty(tmp_path: Path, augment: int) -> None:
    (tmp_path / "x.dcm").write_bytes(b"")
    series = Series("1", "FLAIR", tmp_path, ("x.dcm", "gone.png"))
    images = prepare_series(series, size=32, normalize="series", resize="pad", plane="axial", augment=augment)
    assert images.pixels.shape == (0, 32, 32)
    assert {len(values) for values in images.columns.values()} == {0}
    assert len(images.skipped) == 2


def test_window_and_spacing_are_recorded(tmp_path: Path, write_dicom: Write) -> None:
    pixels = np.arange(1002, dtype=np.uint16).reshape(2, 501)
    write_dicom(tmp_path / "1/FLAIR/a.dcm", pixels, PixelSpacing=[2, 0.5])
    columns = prepare(tmp_path).columns
    found = {name: columns[name].tolist() for name in columns if name.startswith(("window", "spacing"))}
    assert found == {"window_low": [6], "window_high": [996], "spacing_row": [2], "spacing_column": [0.5]}


# --- augmentation --------------------------------------------------------------------------------------


def test_views_are_seeded_and_independent_of_the_other_slices(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    for k in range(3):
        save_png(tmp_path / f"1/FLAIR/{k}.png", rng.integers(0, 256, (32, 32), np.uint8))
    whole = prepare(tmp_path, size=32, augment=2, seed=1)
    assert whole.columns["view"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert whole.columns["source"].tolist() == [f"1/FLAIR/{k}.png" for k in range(3)] * 3
    assert (whole.pixels[:3] == prepare(tmp_path, size=32).pixels).all()
    assert len(set(whole.columns["pixel_digest"])) == 9
    assert (prepare(tmp_path, size=32, augment=2, seed=1).pixels == whole.pixels).all()
    assert (prepare(tmp_path, size=32, augment=1, seed=1).pixels == whole.pixels[:6]).all()
    assert (prepare(tmp_path, size=32, augment=2, seed=2).pixels[3:] != whole.pixels[3:]).any(axis=(1, 2)).all()
    (tmp_path / "1/FLAIR/0.png").unlink()
    assert (prepare(tmp_path, size=32, augment=2, seed=1).pixels[[2, 4]] == whole.pixels[[4, 7]]).all()


class Fixed:
    """Draws what it is told: angle, shifts, zooms, flip."""

    def __init__(self, *draws: Any) -> None:
        self.draws = iter(draws)

    def uniform(self, low: float, high: float, size: int | None = None) -> Any:
        value = np.asarray(next(self.draws), float)
        assert (low <= value).all()
        assert (value <= high).all()
        return value

    def choice(self, values: Any) -> Any:
        value = next(self.draws)
        assert value in values
        return value


def test_augmentation_flips_shifts_turns_and_zooms() -> None:
    image = np.zeros((40, 40), np.uint8)
    image[10:16, 22:32] = 255
    still = (0, [0, 0], [1, 1])
    assert (augmented(image, Fixed(*still, 1.0)) == image).all()  # type: ignore[arg-type]
    assert (augmented(image, Fixed(*still, -1.0)) == image[:, ::-1]).all()  # type: ignore[arg-type]
    shifted = augmented(image, Fixed(0, [0.1, -0.05], [1, 1], 1.0))  # type: ignore[arg-type]
    assert (shifted == np.roll(image, (2, -4), (0, 1))).all()
    nearer = augmented(disc(40, 40), Fixed(0, [0, 0], [0.8, 0.8], 1.0)) > 127  # type: ignore[arg-type]
    assert nearer.any(axis=0).sum() == pytest.approx(0.7 * 40 / 0.8, abs=1)
    turned = augmented(image, Fixed(20, [0, 0], [1, 1], 1.0))  # type: ignore[arg-type]
    y, x = (c.mean() - 19.5 for c in np.nonzero(turned > 127))
    assert np.hypot(y, x) == pytest.approx(np.hypot(12.5 - 19.5, 26.5 - 19.5), abs=0.5)
    assert np.rad2deg(abs(np.arctan2(y, x) - np.arctan2(-7, 7))) == pytest.approx(20, abs=2)


def test_what_comes_in_from_outside_is_black() -> None:
    white = np.full((40, 40), 255, np.uint8)
    shifted = augmented(white, Fixed(0, [0.1, 0], [1, 1], 1.0))  # type: ignore[arg-type]
    assert (shifted == np.where(np.arange(40) < 36, 255, 0)).all()


def test_pixel_digest_is_blake2b_of_the_bytes() -> None:
    import hashlib

    image = np.arange(16, dtype=np.uint8).reshape(4, 4)
    assert pixel_digest(image) == hashlib.blake2b(bytes(range(16)), digest_size=16).hexdigest().encode()
    assert pixel_digest(image.T) != pixel_digest(image)


# --- real series ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("patient", "sequence", "stored"), [("00011", "T1wCE", 3), ("00026", "T1w", None)])
def test_background_of_a_real_rescaled_and_a_real_inverted_series_is_black(
    shared: Path, patient: str, sequence: str, stored: int | None
) -> None:
    import pydicom

    cohort = shared / "data/rsna_like_tcia/train"
    series = next(s for s in find_scans([cohort]).series if (s.patient, s.sequence) == (patient, sequence))
    header = pydicom.dcmread(cohort / series.files[len(series.files) // 2])
    if stored is None:
        assert header.PhotometricInterpretation == "MONOCHROME1"
        assert header.pixel_array[0, 0] == header.pixel_array.max()
    else:
        assert (header.pixel_array[0, 0], header.RescaleSlope, header.RescaleIntercept) == (stored, 2.5, -8)
    images = prepare_series(series, size=224, normalize="series", resize="pad", plane="axial")
    corners = images.pixels[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert not corners.any()
    assert images.columns["brain_fraction"].max() > 0.2
    assert images.pixels.max() == 255
    assert (np.diff(images.columns["position"]) > 0).all()
