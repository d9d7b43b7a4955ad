"""Files -> pixels in real units and one orientation; what cannot be read gives a reason without header text."""

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from features.scans import raster
from features.scans.decode import read_file
from features.scans.find import kind_of
from features.scans.orientation import RawSlice, orientation_of, to_display

Write = Callable[..., Path]
# (2, 3): the smallest matrix that tells turned from flipped
STORED = np.array([[1, 2, 3], [4, 5, 6]], np.uint16)
AXIAL = [1, 0, 0, 0, 1, 0]
CORONAL = [1, 0, 0, 0, 0, -1]
SAGITTAL = [0, 1, 0, 0, 0, -1]


def read(path: Path, plane: str = "axial") -> list[RawSlice]:
    return read_file(path, "source", kind_of(path) or "dicom", plane)


def read_one(path: Path) -> RawSlice:
    (found,) = read(path)
    return found


def item(**values: Any) -> Dataset:
    ds = Dataset()
    for name, value in values.items():
        setattr(ds, name, value)
    return ds


def functional(corner: list[float], slope: float, spacing: list[float] | None = None) -> Dataset:
    groups = item(
        PlanePositionSequence=Sequence([item(ImagePositionPatient=corner)]),
        PixelValueTransformationSequence=Sequence([item(RescaleSlope=slope, RescaleIntercept=1)]),
    )
    if spacing:
        groups.PixelMeasuresSequence = Sequence([item(PixelSpacing=spacing)])
    return groups


# --- orientation ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cosines", "plane", "turned", "spacing"),
    [
        (AXIAL, "axial", [[1, 2, 3], [4, 5, 6]], (7, 9)),
        ([-1, 0, 0, 0, 1, 0], "axial", [[3, 2, 1], [6, 5, 4]], (7, 9)),
        ([1, 0, 0, 0, -1, 0], "axial", [[4, 5, 6], [1, 2, 3]], (7, 9)),
        ([0, 1, 0, 1, 0, 0], "axial", [[1, 4], [2, 5], [3, 6]], (9, 7)),
        ([0, -1, 0, 1, 0, 0], "axial", [[3, 6], [2, 5], [1, 4]], (9, 7)),
        ([0, 1, 0, -1, 0, 0], "axial", [[4, 1], [5, 2], [6, 3]], (9, 7)),
        (CORONAL, "coronal", [[1, 2, 3], [4, 5, 6]], (7, 9)),
        ([1, 0, 0, 0, 0, 1], "coronal", [[4, 5, 6], [1, 2, 3]], (7, 9)),
        ([0, 0, -1, 1, 0, 0], "coronal", [[1, 4], [2, 5], [3, 6]], (9, 7)),
        (SAGITTAL, "sagittal", [[1, 2, 3], [4, 5, 6]], (7, 9)),
        ([0, -1, 0, 0, 0, -1], "sagittal", [[3, 2, 1], [6, 5, 4]], (7, 9)),
        ([0, 0, 1, 0, -1, 0], "sagittal", [[6, 3], [5, 2], [4, 1]], (9, 7)),
        ([0.96, 0.28, 0, -0.28, 0.96, 0], "axial", [[1, 2, 3], [4, 5, 6]], (7, 9)),
    ],
)  # fmt: skip
def test_display_is_radiological(cosines: list[float], plane: str, turned: list[list[int]], spacing: Any) -> None:
    pixels, mm = to_display(STORED, (7, 9), np.array(cosines, float))
    assert orientation_of(np.array(cosines, float))[0] == plane
    assert pixels.tolist() == turned
    assert mm == spacing


@pytest.mark.parametrize(
    "cosines", [None, [1, 0, 0], [1, 0, 0, 1, 0, 0], [0] * 6, [1, 0, 0, np.nan, 1, 0], [1, 0, 0, 0.7, 0.7, 0]]
)
def test_impossible_orientation_is_unknown_and_nothing_turns(cosines: list[float] | None) -> None:
    array = None if cosines is None else np.array(cosines, float)
    assert orientation_of(array) == ("unknown", None)
    pixels, spacing = to_display(STORED, (7, 9), array)
    assert pixels is STORED
    assert spacing == (7, 9)


@pytest.mark.parametrize(
    ("cosines", "plane", "position"),
    [
        (AXIAL, "axial", 30.0), ([-1, 0, 0, 0, 1, 0], "axial", 30.0), (CORONAL, "coronal", 20.0),
        (SAGITTAL, "sagittal", 10.0), ([1, 0, 0, 0, 0.8, 0.6], "axial", 0.8 * 30 - 0.6 * 20),
    ],
)  # fmt: skip
def test_position_is_along_the_positive_axis(
    tmp_path: Path, write_dicom: Write, cosines: list[float], plane: str, position: float
) -> None:
    s = read_one(
        write_dicom(tmp_path / "a.dcm", STORED, ImageOrientationPatient=cosines, ImagePositionPatient=[10, 20, 30])
    )
    assert s.plane == plane
    assert s.position == pytest.approx(position)


# --- DICOM values --------------------------------------------------------------------------------------


def test_plain_file(tmp_path: Path, write_dicom: Write) -> None:
    s = read_one(write_dicom(tmp_path / "a.dcm", STORED, InstanceNumber=12, PixelSpacing=[0.5, 0.75], BitsStored=12))
    assert s.pixels.tolist() == STORED.tolist()
    assert (s.pixels.dtype, s.source, s.instance, s.spacing) == (np.uint16, "source", 12, (0.5, 0.75))
    assert (s.plane, s.full_range, s.eight_bit) == ("unknown", (0.0, 4095.0), False)
    assert np.isnan(s.position)


def test_absent_geometry_is_nan(tmp_path: Path, write_dicom: Write) -> None:
    s = read_one(write_dicom(tmp_path / "a.dcm", STORED, PixelSpacing=[0, 1], ImageOrientationPatient=AXIAL))
    assert np.isnan([*s.spacing, s.position]).all()
    assert (s.instance, s.plane) == (-1, "axial")


@pytest.mark.parametrize(
    ("attributes", "expected", "full_range"),
    [
        ({"RescaleSlope": 2.5, "RescaleIntercept": -8}, [[-5.5, -3, -0.5], [2, 4.5, 7]], (-8, 2.5 * 65535 - 8)),
        ({"RescaleSlope": -1, "RescaleIntercept": 10}, [[9, 8, 7], [6, 5, 4]], (10 - 65535, 10)),
        ({"RescaleIntercept": -3}, [[-2, -1, 0], [1, 2, 3]], (-3, 65532)),
    ],
)
def test_rescale(tmp_path: Path, write_dicom: Write, attributes: Any, expected: Any, full_range: Any) -> None:
    s = read_one(write_dicom(tmp_path / "a.dcm", STORED, **attributes))
    assert s.pixels.tolist() == expected
    assert s.full_range == full_range
    assert not s.eight_bit


@pytest.mark.parametrize("slope", [0, float("inf"), float("nan")])
def test_a_slope_that_says_nothing_is_refused(tmp_path: Path, write_dicom: Write, slope: float) -> None:
    with pytest.raises(ValueError, match="RescaleSlope or RescaleIntercept is zero or no number"):
        read(write_dicom(tmp_path / "a.dcm", STORED, RescaleSlope=slope, RescaleIntercept=0))


def test_signed_pixels(tmp_path: Path, write_dicom: Write) -> None:
    stored = np.array([[-2000, 0], [-1, 32767]], np.int16)
    s = read_one(write_dicom(tmp_path / "a.dcm", stored))
    assert s.pixels.tolist() == stored.tolist()
    assert s.full_range == (-32768, 32767)


@pytest.mark.parametrize(
    ("stored", "attributes", "expected", "full_range"),
    [
        (STORED, {}, [[5, 4, 3], [2, 1, 0]], (0, 65535)),
        (np.array([[-2000, 32000]], np.int16), {}, [[34000, 0]], (0, 65535)),
        (np.array([[-128, 127]], np.int8), {}, [[255, 0]], (0, 255)),
        (STORED, {"RescaleSlope": 2, "RescaleIntercept": -100}, [[10, 8, 6], [4, 2, 0]], (0, 131070)),
        (STORED, {"PixelPaddingValue": 6}, [[4, 3, 2], [1, 0, 0]], (0, 65535)),
    ],
    ids=["unsigned", "signed 16", "signed 8", "rescaled", "padded"],
)
def test_monochrome1_is_turned_about_the_slices_maximum(
    tmp_path: Path, write_dicom: Write, stored: Any, attributes: Any, expected: Any, full_range: Any
) -> None:
    s = read_one(write_dicom(tmp_path / "a.dcm", stored, PhotometricInterpretation="MONOCHROME1", **attributes))
    assert s.pixels.tolist() == expected
    assert s.full_range == full_range


@pytest.mark.parametrize(
    ("stored", "attributes", "expected"),
    [
        (STORED, {"PixelPaddingValue": 6}, [[1, 2, 3], [4, 5, 1]]),
        (STORED, {"PixelPaddingValue": 5, "PixelPaddingRangeLimit": 9}, [[1, 2, 3], [4, 1, 1]]),
        (STORED, {"PixelPaddingValue": 9, "PixelPaddingRangeLimit": 5}, [[1, 2, 3], [4, 1, 1]]),
        (STORED.astype(np.int16), {"PixelPaddingValue": -5}, [[1, 2, 3], [4, 5, 6]]),
        (np.array([[-32768, 7, 9]], np.int16), {"PixelPaddingValue": -32768}, [[7, 7, 9]]),
        (np.full((2, 2), 4, np.uint16), {"PixelPaddingValue": 4}, [[0, 0], [0, 0]]),
        (STORED, {"PixelPaddingValue": 6, "RescaleSlope": 2, "RescaleIntercept": 1}, [[3, 5, 7], [9, 11, 3]]),
    ],
)
def test_padding_becomes_the_lowest_valid_value(
    tmp_path: Path, write_dicom: Write, stored: Any, attributes: Any, expected: Any
) -> None:
    assert read_one(write_dicom(tmp_path / "a.dcm", stored, **attributes)).pixels.tolist() == expected


def test_modality_lut_replaces_the_rescale(tmp_path: Path, write_dicom: Write) -> None:
    lut = item(LUTDescriptor=[3, 1, 16], ModalityLUTType="US", LUTData=[100, 200, 300])
    lut["LUTDescriptor"].VR = "US"
    lut["LUTData"].VR = "US"
    s = read_one(write_dicom(tmp_path / "a.dcm", STORED, ModalityLUTSequence=Sequence([lut]), RescaleSlope=7))
    assert s.pixels.tolist() == [[100, 200, 300], [300, 300, 300]]
    assert (s.full_range, s.eight_bit) == ((100, 300), False)


@pytest.mark.parametrize(
    ("stored", "attributes", "eight_bit"),
    [
        (STORED.astype(np.uint8), {}, True),
        (STORED, {"BitsStored": 8, "HighBit": 7}, True),
        (STORED, {}, False),
        (STORED.astype(np.int8), {}, False),
        (STORED.astype(np.uint8), {"RescaleSlope": 2, "RescaleIntercept": 0}, False),
        (STORED.astype(np.uint8), {"RescaleSlope": 1, "RescaleIntercept": 0}, True),
    ],
)
def test_eight_bit_flag(tmp_path: Path, write_dicom: Write, stored: Any, attributes: Any, eight_bit: bool) -> None:
    assert read_one(write_dicom(tmp_path / "a.dcm", stored, **attributes)).eight_bit is eight_bit


def test_values_beyond_the_stored_bits_are_no_eight_bit_intensities(tmp_path: Path, write_dicom: Write) -> None:
    s = read_one(write_dicom(tmp_path / "a.dcm", STORED + 300, BitsStored=8, HighBit=7))
    assert not s.eight_bit or s.pixels.max() <= 255


RGB = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [77, 77, 77]]], np.uint8)
LUMINANCE = [[76, 150, 29, 77]]  # 0.299, 0.587, 0.114 of 255, rounded


def colour_dicom(write_dicom: Write, path: Path, pixels: np.ndarray, interpretation: str, **attributes: Any) -> Path:
    return write_dicom(
        path, np.zeros(pixels.shape[:2], np.uint8), SamplesPerPixel=3, PlanarConfiguration=0,
        PhotometricInterpretation=interpretation, PixelData=pixels.tobytes(), **attributes,
    )  # fmt: skip


def test_rgb_becomes_luminance(tmp_path: Path, write_dicom: Write) -> None:
    s = read_one(colour_dicom(write_dicom, tmp_path / "a.dcm", RGB, "RGB"))
    assert s.pixels.tolist() == LUMINANCE
    assert s.eight_bit


def test_grey_in_ybr_stays_grey(tmp_path: Path, write_dicom: Write) -> None:
    ybr = np.full((1, 4, 3), 128, np.uint8)
    ybr[0, :, 0] = [0, 9, 130, 255]
    s = read_one(colour_dicom(write_dicom, tmp_path / "a.dcm", ybr, "YBR_FULL"))
    assert s.pixels.tolist() == [[0, 9, 130, 255]]


def test_palette_colour_has_the_depth_of_its_table(tmp_path: Path, write_dicom: Write) -> None:
    table = np.array([0, 32768, 65535], "<u2").tobytes()
    palette = {f"{c}PaletteColorLookupTableData": table for c in ("Red", "Green", "Blue")}
    path = write_dicom(
        tmp_path / "a.dcm", np.array([[0, 1, 2]], np.uint8), PhotometricInterpretation="PALETTE COLOR", **palette
    )
    ds = pydicom.dcmread(path)
    for colour in ("Red", "Green", "Blue"):
        ds.add_new(f"{colour}PaletteColorLookupTableDescriptor", "US", [3, 0, 16])
    ds.save_as(path)
    s = read_one(path)
    assert s.pixels.tolist() == [[0, 32768, 65535]]
    assert (s.full_range, s.eight_bit) == ((0, 65535), False)


def test_multi_frame_with_shared_root_attributes(tmp_path: Path, write_dicom: Write) -> None:
    slices = read(write_dicom(tmp_path / "a.dcm", np.stack([STORED, STORED + 6]), PixelSpacing=[2, 3]))
    assert [s.pixels.tolist() for s in slices] == [STORED.tolist(), (STORED + 6).tolist()]
    assert [s.instance for s in slices] == [1, 2]
    assert [s.spacing for s in slices] == [(2, 3)] * 2


def test_enhanced_multi_frame_takes_each_frames_own_groups(tmp_path: Path, write_dicom: Write) -> None:
    shared = item(
        PlaneOrientationSequence=Sequence([item(ImageOrientationPatient=[0, 1, 0, 1, 0, 0])]),
        PixelMeasuresSequence=Sequence([item(PixelSpacing=[7, 9])]),
    )
    frames = [functional([0, 0, 5], 1), functional([0, 0, 8], 2, [4, 5])]
    path = write_dicom(
        tmp_path / "a.dcm", np.stack([STORED, STORED]), SharedFunctionalGroupsSequence=Sequence([shared]),
        PerFrameFunctionalGroupsSequence=Sequence(frames), RescaleSlope=100, RescaleIntercept=100,
    )  # fmt: skip
    first, second = read(path)
    assert first.pixels.tolist() == [[2, 5], [3, 6], [4, 7]]
    assert second.pixels.tolist() == [[3, 9], [5, 11], [7, 13]]
    assert (first.plane, first.position, first.spacing) == ("axial", 5, (9, 7))
    assert (second.plane, second.position, second.spacing) == ("axial", 8, (5, 4))
    assert second.full_range == (1, 2 * 65535 + 1)


# --- transfer syntaxes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("syntax", "options"),
    [
        (pydicom.uid.RLELossless, {"encoding_plugin": "pydicom"}),
        (pydicom.uid.JPEGLSLossless, {"encoding_plugin": "pyjpegls"}),
        (pydicom.uid.JPEG2000Lossless, {"encoding_plugin": "pylibjpeg"}),
    ],
    ids=["RLE", "JPEG-LS", "JPEG 2000"],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
def test_compressed_syntaxes_decode_to_the_same_pixels(
    tmp_path: Path, write_dicom: Write, syntax: str, options: Any, dtype: type
) -> None:
    info = np.iinfo(dtype)
    pixels = np.random.default_rng(1).integers(info.min, info.max, (2, 40, 48), endpoint=True).astype(dtype)
    path = write_dicom(tmp_path / "a.dcm", pixels, SOPClassUID="1.2.840.10008.5.1.4.1.1.4", SOPInstanceUID="1.2.3")
    ds = pydicom.dcmread(path)
    ds.compress(syntax, **options)
    ds.save_as(tmp_path / "b.dcm")
    assert pydicom.dcmread(tmp_path / "b.dcm").file_meta.TransferSyntaxUID == syntax
    assert [s.pixels.tolist() for s in read(tmp_path / "b.dcm")] == pixels.tolist()


@pytest.mark.parametrize(
    "syntax",
    [
        pydicom.uid.DeflatedExplicitVRLittleEndian,
        pydicom.uid.ImplicitVRLittleEndian,
        pydicom.uid.ExplicitVRBigEndian,
    ],
)
def test_uncompressed_syntaxes(tmp_path: Path, write_dicom: Write, syntax: pydicom.uid.UID) -> None:
    ds = pydicom.dcmread(write_dicom(tmp_path / "a.dcm", STORED))
    big = syntax == pydicom.uid.ExplicitVRBigEndian
    if big:
        ds.PixelData = STORED.astype(">u2").tobytes()
    ds.file_meta.TransferSyntaxUID = syntax
    pydicom.dcmwrite(tmp_path / "b.dcm", ds, implicit_vr=syntax.is_implicit_VR, little_endian=not big)
    assert read_one(tmp_path / "b.dcm").pixels.tolist() == STORED.tolist()


@pytest.mark.parametrize("implicit", [True, False])
def test_no_preamble_and_no_file_meta(tmp_path: Path, write_dicom: Write, implicit: bool) -> None:
    ds = pydicom.dcmread(write_dicom(tmp_path / "a.dcm", STORED, InstanceNumber=4))
    ds.remove_private_tags()
    with (tmp_path / "b.dcm").open("wb") as f, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pydicom.filewriter.write_dataset(_filelike(f, implicit), ds)
    s = read_one(tmp_path / "b.dcm")
    assert (s.pixels.tolist(), s.instance) == (STORED.tolist(), 4)


def _filelike(f: Any, implicit: bool) -> Any:
    buffer = pydicom.filebase.DicomFileLike(f)
    buffer.is_little_endian, buffer.is_implicit_VR = True, implicit
    return buffer


# --- files that cannot be used -------------------------------------------------------------------------


def test_reasons_in_words(tmp_path: Path, write_dicom: Write) -> None:
    whole = write_dicom(tmp_path / "a.dcm", np.zeros((64, 64), np.uint16)).read_bytes()
    (tmp_path / "truncated.dcm").write_bytes(whole[:-100])
    (tmp_path / "garbage.dcm").write_bytes(np.random.default_rng(0).bytes(4000))
    (tmp_path / "empty.dcm").write_bytes(b"")
    (tmp_path / "text.dcm").write_text("this is no DICOM file, however often you look " * 20)
    write_dicom(tmp_path / "blind.dcm", STORED, PixelData=None)
    write_dicom(tmp_path / "flat.dcm", STORED, Rows=0)
    write_dicom(tmp_path / "huge.dcm", STORED, Rows=65535, Columns=65535)
    (tmp_path / "folder.dcm").mkdir()
    expected = {
        "truncated": "its Explicit VR Little Endian data cannot be decoded (ValueError)",
        "empty": "holds no pixel data (not a DICOM image)",
        "blind": "holds no pixel data (not a DICOM image)",
        "flat": "an image of 0 pixels; expected 1 to 67108864",
        "huge": "an image of 4294836225 pixels; expected 1 to 67108864",
        "absent": "cannot be read (No such file or directory)",
        "folder": "cannot be read (Is a directory)",
    }
    for name, reason in expected.items():
        with pytest.raises(ValueError) as caught:
            read(tmp_path / f"{name}.dcm")
        assert (name, str(caught.value)) == (name, reason)
    for name in ("garbage", "text"):
        with pytest.raises(ValueError, match="holds no pixel data|not a readable DICOM file|DICOM header is broken"):
            read(tmp_path / f"{name}.dcm")


def as_text(path: Path, name: str, text: str) -> None:
    """Plant `text` as the value of an attribute whose type does not allow it."""
    ds = pydicom.dcmread(path)
    tag = pydicom.tag.Tag(pydicom.datadict.tag_for_keyword(name))
    ds.add_new(tag, "LO", text)
    ds.save_as(path)
    raw = path.read_bytes()
    code = tag.group.to_bytes(2, "little") + tag.elem.to_bytes(2, "little")
    vr = pydicom.datadict.dictionary_VR(tag).split(" ")[0].encode()
    assert raw.count(code + b"LO") == 1
    path.write_bytes(raw.replace(code + b"LO", code + vr))


@pytest.mark.parametrize(
    "name",
    [
        "RescaleSlope", "RescaleIntercept", "NumberOfFrames", "Rows", "BitsStored", "PixelRepresentation",
        "PixelPaddingValue", "PhotometricInterpretation", "SamplesPerPixel",
    ],
)  # fmt: skip
def test_reasons_never_quote_the_header(tmp_path: Path, write_dicom: Write, name: str) -> None:
    path = write_dicom(tmp_path / "a.dcm", STORED, RescaleSlope=1, RescaleIntercept=0)
    as_text(path, name, "DOE^JANE")
    with pytest.raises(ValueError) as caught:
        read(path)
    assert "DOE" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("name", ["InstanceNumber", "PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient"])
def test_broken_geometry_is_unknown_geometry(tmp_path: Path, write_dicom: Write, name: str) -> None:
    path = write_dicom(tmp_path / "a.dcm", STORED)
    as_text(path, name, "DOE^JANE")
    s = read_one(path)
    assert (s.pixels.tolist(), s.instance, s.plane) == (STORED.tolist(), -1, "unknown")
    assert np.isnan([*s.spacing, s.position]).all()


@pytest.mark.parametrize("uid", ["1.2.999.DOE.JANE", "1.2.840.113619.5.2"])
def test_an_unknown_transfer_syntax_is_not_quoted(tmp_path: Path, write_dicom: Write, uid: str) -> None:
    path = write_dicom(tmp_path / "a.dcm", STORED)
    old = pydicom.uid.ExplicitVRLittleEndian.encode()
    assert path.read_bytes().count(old) == 1
    path.write_bytes(path.read_bytes().replace(old, uid.encode().ljust(len(old), b"\0")))
    with pytest.raises(ValueError) as caught:
        read(path)
    assert "DOE" not in str(caught.value)
    assert "113619" not in str(caught.value)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_whatever_a_codec_raises_costs_the_file_but_a_stop_stops(
    tmp_path: Path, write_dicom: Write, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]
) -> None:
    class Panic(BaseException):
        pass

    path = write_dicom(tmp_path / "a.dcm", STORED, NumberOfFrames=2)
    for error, expected in ((Panic, "cannot be decoded \\(Panic\\)"), (stop, "^$")):
        with monkeypatch.context() as patch:
            patch.setattr(
                pydicom.Dataset, "pixel_array", property(lambda _, error=error: (_ for _ in ()).throw(error()))
            )
            with pytest.raises(ValueError if error is Panic else stop, match=expected):
                read(path)


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    for name in ("a.dcm", "a.png", "a.nii.gz"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(ValueError, match="not a regular file"):
            read(tmp_path / name)
    os.mkfifo(tmp_path / "pipe")
    assert kind_of(tmp_path / "pipe") is None


def test_volumes_larger_than_any_scan_are_refused_before_they_are_allocated(tmp_path: Path, write_dicom: Write) -> None:
    header = nibabel.Nifti1Header()
    header.set_data_shape((32767, 32767, 32767))
    header.set_data_dtype(np.float64)
    (tmp_path / "a.nii").write_bytes(header.binaryblock + bytes(99))
    with pytest.raises(ValueError, match="a volume of 35181150961663 values; expected 1 to 268435456"):
        read(tmp_path / "a.nii")
    with pytest.raises(ValueError, match="a volume of 12884901882 values; expected 1 to 268435456"):
        read(write_dicom(tmp_path / "a.dcm", STORED, NumberOfFrames=2**31 - 1))


@pytest.mark.parametrize("form", ["GIF", "TIFF", "BMP", "EPS"])
def test_only_png_and_jpeg_are_read_whatever_the_name_says(tmp_path: Path, form: str) -> None:
    Image.fromarray(STORED.astype(np.uint8)).save(tmp_path / "a", form)
    (tmp_path / "a").rename(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"cannot be decoded as an image \(UnidentifiedImageError\)"):
        read(tmp_path / "a.png")


def test_warnings_about_the_header_stay_inside(tmp_path: Path, write_dicom: Write) -> None:
    path = write_dicom(tmp_path / "a.dcm", STORED, InstanceNumber=3)
    as_text(path, "PatientBirthDate", "DOE^JANE")
    assert read_one(path).pixels.tolist() == STORED.tolist()


# --- PNG, JPEG -----------------------------------------------------------------------------------------


def test_png_of_8_and_16_bit(tmp_path: Path) -> None:
    Image.fromarray(STORED.astype(np.uint8)).save(tmp_path / "scan2-007.png")
    Image.fromarray(STORED * 9000).save(tmp_path / "deep.png")
    eight, deep = read_one(tmp_path / "scan2-007.png"), read_one(tmp_path / "deep.png")
    assert (eight.pixels.tolist(), eight.eight_bit, eight.full_range) == (STORED.tolist(), True, (0, 255))
    assert (deep.pixels.tolist(), deep.eight_bit, deep.full_range) == ((STORED * 9000).tolist(), False, (0, 65535))
    assert (eight.instance, deep.instance, eight.plane) == (7, -1, "unknown")
    assert np.isnan([*eight.spacing, eight.position]).all()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "1", "LA"])
def test_png_modes_become_luminance(tmp_path: Path, mode: str) -> None:
    grey = Image.fromarray(np.array([[0, 255, 0, 255]], np.uint8))
    colour = Image.fromarray(RGB).quantize(4) if mode == "P" else Image.fromarray(RGB).convert(mode)
    (grey.convert(mode) if mode in ("1", "LA") else colour).save(tmp_path / "a.png")
    expected = [[0, 255, 0, 255]] if mode in ("1", "LA") else LUMINANCE
    assert read_one(tmp_path / "a.png").pixels.tolist() == expected


def test_jpeg_is_close(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(0, 256, 8, dtype=np.uint8), (32, 1))
    Image.fromarray(ramp).save(tmp_path / "a.jpg", quality=95)
    s = read_one(tmp_path / "a.jpg")
    assert s.eight_bit
    assert np.abs(s.pixels.astype(int) - ramp).max() <= 4


@pytest.mark.parametrize("colour_type", [2, 4, 6])
def test_16_bit_colour_or_alpha_is_refused_since_pillow_drops_half_of_it(tmp_path: Path, colour_type: int) -> None:
    import struct
    import zlib

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    samples = {2: 3, 4: 2, 6: 4}[colour_type]
    header = struct.pack(">IIBBBBB", 1, 1, 16, colour_type, 0, 0, 0)
    row = zlib.compress(b"\0" + b"\x12\x34" * samples)
    (tmp_path / "a.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", row) + chunk(b"IEND", b"")
    )
    with pytest.raises(ValueError, match="16-bit PNG with colour or alpha; save it as 16-bit greyscale"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("cut", [0, 20, 60, -200])
def test_broken_images(tmp_path: Path, cut: int) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:cut])
    with pytest.raises(ValueError, match="cannot be decoded as an image"):
        read(tmp_path / "b.png")


def test_an_image_larger_than_any_scan_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raster, "MAX_PIXELS", 5)
    Image.fromarray(STORED.astype(np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="an image of 6 pixels; expected at most 5"):
        read(tmp_path / "a.png")


# --- NIfTI ---------------------------------------------------------------------------------------------

# Stored axes run to Left, Superior, Posterior, as no reader expects; voxels of 2 x 3 x 4 mm.
LSP = np.array([[-2.0, 0, 0, 50], [0, 0, -4, 60], [0, 3, 0, -70], [0, 0, 0, 1]])


@pytest.mark.parametrize(
    ("plane", "cosines", "spacing"),
    [("axial", AXIAL, (4, 2)), ("coronal", CORONAL, (3, 2)), ("sagittal", SAGITTAL, (3, 4))],
)
def test_nifti_agrees_with_dicom_of_the_same_volume(
    tmp_path: Path, write_dicom: Write, plane: str, cosines: list[int], spacing: Any
) -> None:
    volume = np.random.default_rng(2).integers(0, 1000, (3, 4, 5)).astype(np.int16)  # (left, superior, posterior)
    nibabel.save(nibabel.Nifti1Image(volume, LSP), tmp_path / "v.nii.gz")
    found = read(tmp_path / "v.nii.gz", plane)
    assert {s.plane for s in found} == {plane}
    assert {s.spacing for s in found} == {spacing}
    by_position = {round(s.position, 3): s for s in found}
    stack = {
        "axial": [(volume[:, k, :].T, [-50, -60, -70 + 3 * k]) for k in range(4)],
        "coronal": [(volume[:, ::-1, k].T, [-50, -60 + 4 * k, -61]) for k in range(5)],
        "sagittal": [(volume[k, ::-1, :], [-50 + 2 * k, -60, -61]) for k in range(3)],
    }[plane]
    assert len(found) == len(stack)
    for pixels, corner in stack:
        s = read_one(
            write_dicom(tmp_path / "a.dcm", pixels, ImageOrientationPatient=cosines, ImagePositionPatient=corner)
        )
        assert s.plane == plane
        assert s.pixels.tolist() == by_position[s.position].pixels.tolist()


def test_nifti_scaling_types_and_numbers_that_are_none(tmp_path: Path) -> None:
    volume = np.arange(8, dtype=np.float64).reshape(2, 2, 2)
    volume[0, 0, 0], volume[1, 1, 1] = np.nan, np.inf
    nibabel.save(nibabel.Nifti1Image(volume, np.diag([-1, -1, 1, 1])), tmp_path / "f.nii")
    first, second = read(tmp_path / "f.nii")
    assert first.pixels.dtype == np.float32
    assert first.pixels.T.tolist() == [[2, 2], [4, 6]]
    assert second.pixels.T.tolist() == [[1, 3], [5, 1]]
    assert (first.full_range, first.eight_bit, first.instance, second.instance) == (None, False, 1, 2)
    nibabel.save(nibabel.Nifti1Image(np.full((2, 2, 1, 1), 200, np.uint8), np.eye(4)), tmp_path / "b.nii")
    s = read_one(tmp_path / "b.nii")
    assert (s.pixels.tolist(), s.eight_bit, s.full_range) == ([[200, 200], [200, 200]], True, (0, 255))


@pytest.mark.parametrize(
    ("volume", "reason"),
    [
        (np.zeros((2, 2, 2, 3), np.uint8), r"shape \(2, 2, 2, 3\); expected three dimensions"),
        (np.zeros((2, 2, 2), np.complex64), "complex64; expected grey values"),
        (np.full((2, 2, 2), np.nan, np.float32), "not one pixel is a finite number"),
    ],
)
def test_nifti_that_cannot_be_used(tmp_path: Path, volume: np.ndarray, reason: str) -> None:
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / "v.nii")
    with pytest.raises(ValueError, match=reason):
        read(tmp_path / "v.nii")


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
def test_truncated_nifti(tmp_path: Path, name: str) -> None:
    volume = np.random.default_rng(0).integers(0, 999, (9, 9, 9)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / name)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-300])
    with pytest.raises(ValueError, match="cannot be read as NIfTI"):
        read(tmp_path / name)


# --- real files ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_file_of_four_vendors_gives_slices_or_a_reason(shared: Path) -> None:
    root = shared / "data/dicom_codec_quirks"
    slices, reasons = {}, {}
    for path in sorted(root.rglob("*.dcm")):
        name = path.relative_to(root).as_posix()
        try:
            slices[name] = read_one(path)
        except ValueError as error:
            reasons[name] = str(error)
    assert len(slices) == 90
    assert reasons == {"philips/002/008.dcm": "its Explicit VR Little Endian data cannot be decoded (ValueError)"}
    first = slices["philips/002/005.dcm"]
    assert first.full_range == pytest.approx((-3142, 3142), abs=1e-3)
    assert (slices["hitachi/001/001.dcm"].plane, slices["philips/001/IM-0001-0001-0001.dcm"].plane) == (
        "sagittal",
        "coronal",
    )
    assert slices["generic/anatomical/002_non_isotropic/001.dcm"].spacing == pytest.approx((4, 6.4), abs=1e-4)
    assert all(s.eight_bit == ("rgb" in name) for name, s in slices.items())


def test_five_lossless_codecs_give_the_same_real_pixels(shared: Path) -> None:
    root = shared / "data/dicom_codec_quirks/generic"
    stacks = [
        np.stack([read_one(p).pixels for p in sorted((root / folder / "001").iterdir())])
        for folder in ("compressed", "compressed_rle", "compressed_jpeg", "compressed_jpegls", "compressed_j2k")
    ]
    assert stacks[0].shape == (4, 256, 256)
    assert np.ptp(stacks[0]) == 254
    for stack in stacks[1:]:
        np.testing.assert_array_equal(stack, stacks[0])
