"""The adapters to the project, and what goes into the golden cases: cohorts, caches, tables, damaged and odd files."""

from __future__ import annotations

import contextlib
import csv
import fcntl
import importlib
import io
import json
import os
import re
import shutil
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import h5py
import numpy as np
from conftest import ROOT, SHARED, save_dicom
from PIL import Image
from stand_ins import CheapEmbedder

# --- adapters: all that these tests know of the project's modules --------------------------------------

DOORS = {
    "extract": "extract_features",
    "train": "train_head",
    "evaluate": "evaluate",
    "features": "cli.cache",
}  # module with a main([...]) -> exit status
NETWORK = ("features.backbones.keras_applications", "Embedder")  # what stage 1 and --explain embed with


def prepared(cohort: Path, **options: Any) -> Iterator[tuple[str, np.ndarray, dict[str, np.ndarray], list[str]]]:
    """Per series of a cohort: its name, pixels (n, 224, 224) uint8, columns {name: (n,)}, and what was skipped and why."""
    from features.scans.find import find_scans
    from features.scans.prepare import prepare_series

    for series in find_scans([cohort]).series:
        made = prepare_series(
            series, **{"size": 224, "normalize": "series", "resize": "pad", "plane": "axial", **options}
        )
        skipped = [f"{s.source}: {s.reason}" for s in made.skipped]
        yield f"{series.patient}/{series.sequence}", made.pixels, made.columns, skipped


# --- commands ------------------------------------------------------------------------------------------


class CellEmbedder(CheapEmbedder):
    """The cheap embedder with maps, which --explain draws: its vectors are means of 7 x 7 cells of 4 numbers each."""

    dim = 4

    def __init__(self) -> None:
        super().__init__()
        self.settings |= {"backbone": "vgg16", "weights": "imagenet", "pooling": "global average"}

    def maps(self, images: np.ndarray) -> np.ndarray:
        """(n, 7, 7, 4) float32 of (n, 224, 224) uint8."""
        tiles = images.reshape(len(images), 7, 32, 7, 32).astype(np.float32) / 255
        mean, square = tiles.mean(axis=(2, 4)), np.square(tiles).mean(axis=(2, 4))
        return np.stack([mean, square, mean**3, np.roll(mean, 1, axis=1) * mean], axis=-1)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return self.maps(images).mean(axis=(1, 2))


@contextlib.contextmanager
def network(kind: type[CheapEmbedder] | None) -> Iterator[None]:
    """A stand-in for the network while the block runs; None leaves the real one."""
    if kind is None:
        yield
        return
    embedder = kind()
    embedder.device, embedder.origin = "CPU", "the tests"  # type: ignore[attr-defined]
    module = importlib.import_module(NETWORK[0])
    real = getattr(module, NETWORK[1])
    setattr(module, NETWORK[1], lambda *_, **__: embedder)
    try:
        yield
    finally:
        setattr(module, NETWORK[1], real)


@dataclass
class Said:
    """What a command answered: its exit status (a text where it raised), and its output."""

    status: int | str
    out: str
    err: str


def call(door: str, *arguments: object, embedder: type[CheapEmbedder] | None = CheapEmbedder) -> Said:
    """A command in this process, on one thread of the numerical libraries."""
    import scipy.linalg  # noqa: F401  (so that its threads are there to be limited)
    from threadpoolctl import threadpool_limits

    main = importlib.import_module(DOORS[door]).main
    program = mock.patch.object(sys, "argv", [f"{door}.py"])  # which provenance names
    unsynced = mock.patch.object(os, "fsync")  # no power cut is tested here, and discs are slow
    out, err = io.StringIO(), io.StringIO()
    status: int | str
    with (
        program,
        unsynced,
        network(embedder),
        threadpool_limits(1),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            status = main([str(a) for a in arguments])
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else str(stop.code)
        except Exception as error:
            traceback.print_exc()
            status = f"raises {type(error).__name__}"
    return Said(status, out.getvalue(), err.getvalue())


# --- a folder of material ------------------------------------------------------------------------------


class Bench:
    """A folder in which material is made once, also where several processes share it."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        (self.root / ".made").mkdir(parents=True, exist_ok=True)

    def __truediv__(self, name: str) -> Path:
        return self.root / name

    def once(self, name: str, make: Callable[[Path], Any]) -> Any:
        """What `make(self / name)` gives, JSON-like; made by the first who asks, read by the others."""
        told = self._told(name)
        with told.with_suffix(".lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if not told.exists():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                told.write_text(json.dumps(make(self.root / name)))
            return json.loads(told.read_text())

    def _told(self, name: str) -> Path:
        return self.root / ".made" / f"{name.replace('/', ' ')}.json"

    def command(
        self, name: str, door: str, *arguments: object, embedder: type[CheapEmbedder] | None = CheapEmbedder
    ) -> Path:
        """The output `name` of a command that must succeed, made once; `said(name)` is what it printed."""

        def make(out: Path) -> list[str]:
            said = call(door, *arguments, *([out] if door == "features" else ["--out", out]), embedder=embedder)
            if said.status != 0:
                raise AssertionError(f"{door} {arguments}: {said.status} {said.err}")
            return [said.out]

        self.once(name, make)
        return self / name

    def said(self, name: str) -> str:
        """What the command that made `name` printed, masked."""
        (out,) = json.loads(self._told(name).read_text())
        return self.masked(out)

    def masked(self, text: str) -> str:
        """A text without what differs from run to run: places, times, versions and commit."""
        for place, name in (
            (self.root, "<bench>"),
            (SHARED, "<shared>"),
            (SHARED.resolve(), "<shared>"),
            (ROOT, "<root>"),
        ):
            text = text.replace(str(place), name)
        for pattern, name in MASKS:
            text = re.sub(pattern, name, text)
        return text


MASKS = (
    (r"\d+\.\d+ slices/s", "<n> slices/s"),
    (r"\b\d+(\.\d+)? s\b", "<t> s"),
    (r"\b[0-9a-f]{40}\b|\b[0-9a-f]{12}\b", "<commit>"),
    (r"<commit>,? ?\(?(with|and) uncommitted changes\)?", "<commit>"),
    (r"\b[Cc]ode version [\w.+]+", "code version <version>"),
    (r"\b(Python|tensorflow|keras|numpy|h5py|scikit-learn|lightgbm|joblib|scipy) \d[\w.]*", r"\1 <version>"),
    (r"errno = \d+|time = [^,]*,|0x[0-9a-f]{6,}", "<x>"),
)


def head_of(reason: str) -> str:
    """The last line of an error's output, without argparse's list of choices, which versions of Python write differently."""
    lines = [line for line in reason.splitlines() if line.strip() and "series/s" not in line]
    return re.sub(r" \(choose from .*", " (choose from ...)", lines[-1]) if lines else ""


# --- cohorts and tables --------------------------------------------------------------------------------


def phantom(bench: Bench) -> Path:
    """20 patients of FLAIR and T1wCE with 3 slices each, and train_labels.csv."""
    options = ("--patients", 20, "--slices", 3, "--sequence", "FLAIR", "T1wCE", "--effect", 2)

    def make(out: Path) -> list[str]:
        said = call("features", "phantom", out, *options)
        assert said.status == 0, said.err
        return [said.out]

    bench.once("phantom", make)
    return bench / "phantom"


def cache(bench: Bench) -> Path:
    """The phantom's cache, by the cheap embedder."""
    return bench.command("f.h5", "extract", phantom(bench) / "train", "--workers", 0)


def labels(bench: Bench) -> Path:
    """The phantom's labels."""
    return phantom(bench) / "train_labels.csv"


def write_png(path: Path, pixels: np.ndarray, **options: Any) -> Path:
    """An image file of the kind that its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def new_patients(bench: Bench) -> tuple[Path, Path]:
    """A cache of 12 patients who are no patients of the phantom, and their labels: noise on bright or dark squares."""

    def make(out: Path) -> list[str]:
        rng = np.random.default_rng(3)
        for i in range(12):
            for sequence in ("FLAIR", "T1wCE"):
                for k in range(3):
                    pixels = rng.integers(1, 90, (40, 48)).astype(np.uint8)
                    pixels[8:30, 10:30] += np.uint8(60 + 50 * (i % 2))
                    write_png(out / f"new-{i}" / sequence / f"{k}.png", pixels)
        (bench / "new.csv").write_text("id,label\n" + "".join(f"new-{i},{i % 2}\n" for i in range(12)))
        return [""]

    bench.once("new", make)
    return bench.command("new.h5", "extract", bench / "new", "--workers", 0), bench / "new.csv"


def numbers(bench: Bench) -> tuple[Path, Path]:
    """A table of 24 patients with 3 columns, some cells empty, and labels in words, two of them of a third kind."""
    rng = np.random.default_rng(5)
    rows = ["id,a,b,c"]
    for i in range(24):
        missing = "" if i % 5 == 0 else f"{rng.normal():.4f}"
        rows.append(f"S-{i},{(i % 2) + 0.7 * rng.normal():.4f},{missing},{rng.normal():.4f}")
    table, words = bench / "numbers.csv", bench / "words.csv"
    table.write_text("\n".join(rows) + "\n")
    words.write_text(
        "id;status\n" + "".join(f"S-{i};{('yes', 'no', 'unclear')[i % 2 if i < 22 else 2]}\n" for i in range(24))
    )
    return table, words


def upenn(bench: Bench) -> tuple[Path, Path]:
    """80 patients of UPENN with an MGMT status, 60 columns of radiomics, as CSV; and the clinical table."""
    import gzip

    folder = SHARED / "data" / "upenn_gbm"

    def make(out: Path) -> list[str]:
        with (folder / "clinical.csv").open(newline="") as f:
            known = [r["patient_id"] for r in csv.DictReader(f) if r["MGMT"] in ("Methylated", "Unmethylated")]
        with gzip.open(folder / "radiomics.csv.gz", "rt", newline="") as f:
            header, *rows = list(csv.reader(f))
        by_id = {r[0]: r for r in rows}
        columns = [0, *range(1, len(header), (len(header) - 1) // 60)][:61]
        with out.open("w", newline="") as f:
            writer = csv.writer(f)
            chosen = [by_id[p] for p in known if p in by_id][:80]
            writer.writerows([[r[c] for c in columns] for r in [header, *chosen]])
        return [""]

    bench.once("upenn.csv", make)
    return bench / "upenn.csv", folder / "clinical.csv"


# --- runs -----------------------------------------------------------------------------------------------

BOTH = ("--head", "logistic", "boosted")
RUNS: dict[str, tuple[Any, ...]] = {
    "patients": (*BOTH, "--fuse", "scores", "--folds", 3, "--permutations", 9, "--learning-curve"),
    "tuned": (*BOTH, "--folds", 3, "--repeats", 1, "--tune", 3),
    "leaky": (*BOTH, "--split", "slice", "--keep-blank", "--sequence", "FLAIR"),
    "pooled": ("--head", "boosted", "--unit", "patient", "--fuse", "features", "--permutations", 0, "--folds", 3),
    "options": (
        "--head", "logistic", "--slices", "middle:2", "--aggregate", "noisy-or", "--C", 0.3, "--seed", 4, "--folds", 4, "--repeats", 1,
        "--no-shortcuts", "--permutations", 4, "--sequence", "t1ce",
    ),
    "dense": ("--head", "dense", "--epochs", 3, "--folds", 3, "--repeats", 1, "--hidden", 8, 4),
}  # fmt: skip


def run_of(bench: Bench, name: str) -> Path:
    """A run on the phantom, in a folder of its own, since a report counts the runs beside; made once."""
    # "options" lies beside "pooled", which is made after it, so that one report finds a run beside its own
    beside = "pooled" if name == "options" else name
    if name == "pooled":
        run_of(bench, "options")
    inputs = (cache(bench), labels(bench))
    return bench.command(f"of {beside}/{name}", "train", *inputs, "--jobs", 1 + (name == "dense"), *RUNS[name])


def table_run(bench: Bench) -> Path:
    """A run on a table of numbers with gaps."""
    options = ("--label-column", "status", "--positive", "no", "--negative", "yes", "--permutations", 5)
    return bench.command("of table/table", "train", *numbers(bench), "--jobs", 1, *BOTH, *options)


def upenn_run(bench: Bench) -> Path:
    """A run on the part of UPENN."""
    options = ("--label-column", "MGMT", "--positive", "Methylated", "--negative", "Unmethylated", "--permutations", 4)
    inputs = upenn(bench)
    return bench.command("of upenn/upenn", "train", *inputs, "--jobs", 1, *BOTH, *options)


# --- odd images ----------------------------------------------------------------------------------------


def odd_images(bench: Bench) -> Path:
    """A cohort with a patient for each way in which files are odd or broken."""
    bench.once("odd", lambda out: _odd(out) or [""])
    return bench / "odd"


def _odd(out: Path) -> None:
    import nibabel
    import pydicom
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence as Items

    def item(**values: Any) -> Dataset:
        ds = Dataset()
        for name, value in values.items():
            setattr(ds, name, value)
        return ds

    rng = np.random.default_rng(11)
    brain = np.zeros((48, 40), np.uint16)
    brain[8:40, 6:34] = rng.integers(200, 3000, (32, 28))
    signed = brain.astype(np.int16) - 900
    axial = {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "PixelSpacing": [0.5, 0.75]}

    def dicom(name: str, pixels: np.ndarray, **attributes: Any) -> Path:
        return save_dicom(out / name, pixels, **attributes)

    for k, z in enumerate((20, -10, 5)):
        dicom(
            f"order/FLAIR/Image-{k}.dcm",
            brain + np.uint16(100 * k),
            ImagePositionPatient=[0, 0, z],
            InstanceNumber=7,
            **axial,
        )
    for name, cosines in {
        "axial turned": [0, -1, 0, 1, 0, 0], "coronal": [1, 0, 0, 0, 0, -1], "sagittal": [0, 1, 0, 0, 0, -1],
        "oblique": [0.96, 0.28, 0, -0.28, 0.96, 0], "impossible": [1, 0, 0, 1, 0, 0],
    }.items():  # fmt: skip
        place = {"ImageOrientationPatient": cosines, "ImagePositionPatient": [10, 20, 30], "PixelSpacing": [0.7, 0.9]}
        dicom(f"{name}/FLAIR/a.dcm", brain, **place)
    for name, pixels, attributes in (
        ("monochrome1", brain, {"PhotometricInterpretation": "MONOCHROME1"}),
        ("monochrome1 signed", signed, {"PhotometricInterpretation": "MONOCHROME1"}),
        ("signed", signed, {}),
        ("signed 8", (brain // 25).astype(np.int8), {}),
        ("unsigned 8", (brain // 12).astype(np.uint8), {}),
        ("8 of 16", brain // 12, {"BitsStored": 8, "HighBit": 7}),
        ("12 of 16", brain, {"BitsStored": 12, "HighBit": 11}),
        ("rescaled", brain, {"RescaleSlope": 2.5, "RescaleIntercept": -8}),
        ("rescaled downwards", brain, {"RescaleSlope": -1, "RescaleIntercept": 10}),
        ("slope of zero", brain, {"RescaleSlope": 0, "RescaleIntercept": 0}),
        ("padded", brain, {"PixelPaddingValue": 0}),
        ("padded range", brain, {"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 300}),
        ("padded monochrome1", brain, {"PhotometricInterpretation": "MONOCHROME1", "PixelPaddingValue": 0}),
        ("no spacing", brain, {"PixelSpacing": [0, 1]}),
        ("blank", np.zeros((32, 32), np.uint16), {}),
        ("constant", np.full((32, 32), 7, np.uint16), {}),
        ("mask", (brain > 0).astype(np.uint16), {}),
        ("one pixel", np.ones((1, 1), np.uint16), {}),
        ("thin", brain[:1], {}),
        ("wide", np.tile(brain, (1, 8)), axial),
        ("frames", np.stack([brain, brain[::-1], brain // 2]), {"PixelSpacing": [2, 3]}),
        ("no pixels", brain, {"PixelData": None}),
        ("no rows", brain, {"Rows": 0}),
        ("huge", brain, {"Rows": 65535, "Columns": 65535}),
        ("many frames", brain, {"NumberOfFrames": 2**31 - 1}),
    ):  # fmt: skip
        dicom(f"{name}/FLAIR/a.dcm", pixels, **attributes)
    lut = item(LUTDescriptor=[3, 0, 16], ModalityLUTType="US", LUTData=[100, 200, 300])
    lut["LUTDescriptor"].VR = lut["LUTData"].VR = "US"
    dicom("lookup table/FLAIR/a.dcm", brain % 3, ModalityLUTSequence=Items([lut]))
    shared_groups = item(
        PlaneOrientationSequence=Items([item(ImageOrientationPatient=[0, 1, 0, 1, 0, 0])]),
        PixelMeasuresSequence=Items([item(PixelSpacing=[7, 9])]),
    )
    frames = [
        item(
            PlanePositionSequence=Items([item(ImagePositionPatient=[0, 0, z])]),
            PixelValueTransformationSequence=Items([item(RescaleSlope=slope, RescaleIntercept=1)]),
        )
        for z, slope in ((8, 1), (5, 2))
    ]
    dicom(
        "enhanced/FLAIR/a.dcm", np.stack([brain, brain]), SharedFunctionalGroupsSequence=Items([shared_groups]),
        PerFrameFunctionalGroupsSequence=Items(frames),
    )  # fmt: skip
    colour = rng.integers(0, 256, (24, 20, 3)).astype(np.uint8)
    for name, kind in (("rgb", "RGB"), ("ybr", "YBR_FULL")):
        dicom(
            f"{name}/FLAIR/a.dcm", np.zeros(colour.shape[:2], np.uint8), SamplesPerPixel=3, PlanarConfiguration=0,
            PhotometricInterpretation=kind, PixelData=colour.tobytes(),
        )  # fmt: skip
    whole = dicom("truncated/FLAIR/a.dcm", brain)
    whole.write_bytes(whole.read_bytes()[:-100])
    plain = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4", "SOPInstanceUID": "1.2.3"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, syntax, plugin in (
            ("rle", pydicom.uid.RLELossless, "pydicom"),
            ("jpeg-ls", pydicom.uid.JPEGLSLossless, "pyjpegls"),
            ("jpeg 2000", pydicom.uid.JPEG2000Lossless, "pylibjpeg"),
        ):
            path = dicom(f"{name}/FLAIR/a.dcm", signed, **plain)
            ds = pydicom.dcmread(path)
            ds.compress(syntax, encoding_plugin=plugin)
            ds.save_as(path)
        path = dicom("broken rle/FLAIR/a.dcm", brain, **plain)
        ds = pydicom.dcmread(path)
        ds.compress(pydicom.uid.RLELossless, encoding_plugin="pydicom")
        ds.save_as(path)
        path.write_bytes(path.read_bytes()[:-900])
        for name, syntax in (
            ("deflated", pydicom.uid.DeflatedExplicitVRLittleEndian),
            ("implicit", pydicom.uid.ImplicitVRLittleEndian),
            ("big endian", pydicom.uid.ExplicitVRBigEndian),
        ):
            path = dicom(f"{name}/FLAIR/a.dcm", brain)
            ds = pydicom.dcmread(path)
            big = syntax == pydicom.uid.ExplicitVRBigEndian
            if big:
                ds.PixelData = brain.astype(">u2").tobytes()
            ds.file_meta.TransferSyntaxUID = syntax
            pydicom.dcmwrite(path, ds, implicit_vr=syntax.is_implicit_VR, little_endian=not big)
    path = dicom("unknown syntax/FLAIR/a.dcm", brain)
    old = pydicom.uid.ExplicitVRLittleEndian.encode()
    path.write_bytes(path.read_bytes().replace(old, b"1.2.999.DOE.JANE".ljust(len(old), b"\0")))
    folder = out / "files that are none" / "FLAIR"
    folder.mkdir(parents=True)
    (folder / "empty.dcm").write_bytes(b"")
    (folder / "garbage.dcm").write_bytes(np.random.default_rng(0).bytes(4000))
    (folder / "text.dcm").write_text("this is no DICOM file, however often you look " * 20)
    (folder / "empty.png").write_bytes(b"")
    (out / "empty folder" / "FLAIR").mkdir(parents=True)
    (out / "unknown sequence" / "DWI").mkdir(parents=True)
    (out / "no sequences").mkdir()
    (out / "loose.dcm").write_bytes(b"")

    eight = (brain // 12).astype(np.uint8)
    write_png(out / "png/T2w/scan2-007.png", eight)
    write_png(out / "png 16/T2w/a.png", brain * np.uint16(20))
    write_png(out / "png colour/T2w/a.png", colour)
    write_png(out / "png size/T2w/a.png", rng.integers(0, 256, (224, 224)).astype(np.uint8))
    for mode in ("RGBA", "P", "1", "LA"):
        picture = Image.fromarray(colour).quantize(16) if mode == "P" else Image.fromarray(eight).convert(mode)
        path = out / f"png {mode}" / "T2w" / "a.png"
        path.parent.mkdir(parents=True)
        picture.save(path)
    whole = write_png(out / "png truncated/T2w/a.png", eight)
    whole.write_bytes(whole.read_bytes()[:-200])
    write_png(out / "jpeg/T2w/a.jpg", eight, quality=90)
    write_png(out / "jpeg colour/T2w/a.jpg", colour, quality=90)
    write_png(out / "gif/T2w/a.gif", eight).rename(out / "gif/T2w/a.png")

    def nifti(name: str, volume: np.ndarray, affine: np.ndarray) -> Path:
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        nibabel.save(nibabel.Nifti1Image(volume, affine), path)
        return path

    volume = rng.integers(0, 900, (20, 24, 4)).astype(np.int16)
    leaning = np.array([[-2.0, 0, 0, 50], [0, 0, -4, 60], [0, 3, 0, -70], [0, 0, 0, 1]])
    nifti("nifti/nifti_flair.nii.gz", volume, np.diag([-1.0, -1, 3, 1]))
    nifti("nifti turned/nifti turned_flair.nii.gz", volume[:, :4], leaning)
    scaled = nibabel.Nifti1Image(volume[..., :2], np.eye(4))
    scaled.header.set_slope_inter(0.5, 3)
    (out / "nifti scaled").mkdir()
    nibabel.save(scaled, out / "nifti scaled/nifti scaled_t2.nii")
    floats = volume[..., :2].astype(np.float32)
    floats[0, 0, 0], floats[1, 1, 1] = np.nan, np.inf
    nifti("nifti floats/nifti floats_t2.nii", floats, np.eye(4))
    nifti("nifti 4 dimensions/x_flair.nii", np.zeros((4, 4, 2, 3), np.uint8), np.eye(4))
    nifti("nifti one volume/x_flair.nii", volume[..., None], np.eye(4))
    nifti("nifti complex/x_flair.nii", np.zeros((4, 4, 2), np.complex64), np.eye(4))
    nifti("nifti nothing/x_flair.nii", np.full((4, 4, 2), np.nan, np.float32), np.eye(4))
    whole = nifti("nifti truncated/x_flair.nii.gz", volume, np.eye(4))
    whole.write_bytes(whole.read_bytes()[:-300])
    header = nibabel.Nifti1Header()
    header.set_data_shape((32767, 32767, 32767))
    header.set_data_dtype(np.float64)
    (out / "nifti huge").mkdir()
    (out / "nifti huge/x_flair.nii").write_bytes(header.binaryblock + bytes(99))


def real_images(bench: Bench, which: str) -> Path:
    """Real series as a cohort of links: `quirks`, every file of four vendors; `tcia`, three patients as in the challenge."""
    data = SHARED / "data"

    def make(out: Path) -> list[str]:
        if which == "tcia":
            for patient in ("00002", "00005", "00011"):
                shutil.copytree(data / "rsna_like_tcia/train" / patient, out / patient, copy_function=_link)
            return [""]
        root = data / "dicom_codec_quirks"
        for folder in sorted({p.parent for p in root.rglob("*.dcm")}):
            name = folder.relative_to(root).as_posix().replace("/", "-")
            shutil.copytree(folder, out / name / "FLAIR", copy_function=_link)
        return [""]

    bench.once(which, make)
    return bench / which


def _link(source: str, target: str) -> None:
    Path(target).symlink_to(Path(source).resolve())


# --- damaged and hostile caches ------------------------------------------------------------------------


def _replace(f: Any, name: str, *shape: Any, **options: Any) -> None:
    del f[name]
    f.create_dataset(name, *shape, **options)


def _flip(f: Any) -> None:
    f["features"][5, 3] += 1


def _external_link(f: Any) -> None:
    del f["rows/source"]
    f["rows/source"] = h5py.ExternalLink("other.h5", "/rows/source")


def _soft_link(f: Any) -> None:
    del f["rows/height"]
    f["rows/height"] = h5py.SoftLink("/rows/width")


def _linked_group(f: Any) -> None:
    del f["names"]
    f["names"] = h5py.ExternalLink("other.h5", "/names")


def _virtual(f: Any) -> None:
    n, d = f["features"].shape
    layout = h5py.VirtualLayout((n, d), "<f4")
    layout[:] = h5py.VirtualSource("other.h5", "features", (n, d))
    del f["features"]
    f.create_virtual_dataset("features", layout)


def _cycle(f: Any) -> None:
    f["rows/again"] = f["rows"]


def _without(name: str) -> Callable[[Any], None]:
    def plant(f: Any) -> None:
        del f[name]

    return plant


def _attribute(name: str, value: Any) -> Callable[[Any], None]:
    def plant(f: Any) -> None:
        f.attrs[name] = value

    return plant


def _beyond(f: Any) -> None:
    f["rows/patient"][0] = 999


def _no_format(f: Any) -> None:
    del f.attrs["format"]


def _shuffled(f: Any) -> None:
    f["series/first_row"][1] = 0


DAMAGE: dict[str, Callable[[Any], None]] = {
    "a value changed": _flip,
    "external link": _external_link,
    "soft link": _soft_link,
    "linked group": _linked_group,
    "external storage": lambda f: _replace(f, "features", f["features"].shape, "<f4", external=[("secret", 0, 99999)]),
    "virtual dataset": _virtual,
    "compressed": lambda f: _replace(f, "features", data=f["features"][()], compression="gzip"),
    "claims too much": lambda f: _replace(f, "features", (10**12, 16), "<f4", chunks=(256, 16)),
    "cycle of groups": _cycle,
    "no features": _without("features"),
    "no column": _without("rows/plane"),
    "no format": _no_format,
    "other format": _attribute("format", "somebody/else"),
    "later version": _attribute("format_version", 2),
    "attribute of numbers": _attribute("weights", np.arange(3)),
    "index beyond its names": _beyond,
    "series that overlap": _shuffled,
}


def damaged(bench: Bench, how: str) -> Path:
    """A copy of the phantom's cache, damaged in one of the ways of `DAMAGE`, or `truncated`, `text`, `empty`."""

    def make(out: Path) -> list[str]:
        out.parent.mkdir(exist_ok=True)
        (out.parent / "secret").write_text("what nobody else may read " * 4000)
        raw = cache(bench).read_bytes()
        out.write_bytes({"truncated": raw[: len(raw) // 2], "text": b"id,a\n1,2\n" * 99, "empty": b""}.get(how, raw))
        if how in DAMAGE:
            with h5py.File(out, "r+") as f:
                DAMAGE[how](f)
        return [""]

    name = f"damaged/{how}.h5"
    bench.once(name, make)
    return bench / name
