"""The golden cases: each gives figures (a JSON document) and words (a text), made by the project's own commands."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from golden import errors, material
from golden.compare import exactly, figures_of, pixels, sha, table_of, visible
from golden.material import SHARED, Bench


@dataclass
class Golden:
    """What a case gives: `figures` may not change, `words` only on purpose."""

    figures: dict[str, Any]
    words: str = ""


@dataclass
class Case:
    """A case: how it is made, whether it is slow, and the folders of ../shared that it needs."""

    make: Callable[[Bench], Golden]
    slow: bool = False
    needs: tuple[str, ...] = field(default=())


CASES: dict[str, Case] = {}


def case(name: str, *, slow: bool = False, needs: tuple[str, ...] = ()) -> Callable[[Callable[[Bench], Golden]], Any]:
    """Register a case."""

    def register(make: Callable[[Bench], Golden]) -> Callable[[Bench], Golden]:
        CASES[name] = Case(make, slow, needs)
        return make

    return register


# --- what is read from outputs -------------------------------------------------------------------------

VERSIONED = ("versions", "code_version", "content_digest")  # attributes of a cache that name versions, or digest them


def of_cache(path: Path, short: bool = False) -> dict[str, Any]:
    """A cache: its file's bytes where versions are the recorded ones, attributes, and each dataset's form and bytes.

    `short` : the form and bytes of all datasets but the vectors and the digests of pixels as one.
    """
    out: dict[str, Any] = {"attributes": {}, "datasets": {}}
    with h5py.File(path) as f:
        attributes = dict(f.attrs)
        versions = {k: str(attributes[k]) for k in VERSIONED[:2]} | {
            "hdf5": f"{h5py.__version__} {h5py.version.hdf5_version}"
        }
        out["file"] = {"only where": versions, "sha256": sha(path.read_bytes())}
        out["attributes"] = {k: figures_of(v) for k, v in attributes.items() if k not in VERSIONED}

        def visit(name: str, found: Any) -> None:
            if isinstance(found, h5py.Dataset):
                values = found[()]
                text = values.dtype.kind == "O"
                raw = b"\0".join(values.ravel()) if text else values.tobytes()
                dtype, chunks = "text" if text else values.dtype.str, f" in {found.chunks}" if found.chunks else ""
                out["datasets"][name] = {"form": f"{dtype} {values.shape}{chunks}", **pixels(raw)}

        f.visititems(visit)
    if short:
        kept = {k: out["datasets"].pop(k) for k in ("features", "rows/pixel_digest")}
        out["datasets"] = kept | {"others": pixels(json.dumps(out["datasets"], sort_keys=True).encode())}
    return out


def of_rows(path: Path) -> dict[str, Any]:
    """A cache by slice: what is known of each, with the digest of its pixels; and the skipped files with their reasons."""
    with h5py.File(path) as f:
        names = {k: [t.decode() for t in f["names"][k][()]] for k in f["names"]}
        columns = {k: f["rows"][k][()] for k in f["rows"]}
        skipped = {k: [t.decode() for t in f["skipped"][k][()]] for k in f["skipped"]}
    shown = sorted(set(columns) - {"source", "patient", "instance", "view", "pixel_digest"})
    rows: dict[str, Any] = {}
    for i in range(len(columns["source"])):
        said = {k: names[k][v[i]] if k in names else _cell(v[i]) for k, v in columns.items()}
        key = f"{said['source']}#{said['instance']} view {said['view']}"
        rows[key] = {"what": [said[k] for k in shown], "pixels": said["pixel_digest"][:12]}
    reasons = [
        " | ".join(x) for x in zip(*(skipped[k] for k in ("patient", "sequence", "source", "reason")), strict=True)
    ]
    return {"columns": shown, "rows": rows, "skipped": reasons}


def _cell(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def of_head(path: Path) -> dict[str, Any]:
    """A fitted head: the form and numbers of its arrays, and what it says of itself."""
    out: dict[str, Any] = {}
    with zipfile.ZipFile(path) as archive:
        for member in sorted(archive.namelist()):
            with archive.open(member) as f:
                array = np.lib.format.read_array(f, allow_pickle=False)
            name = member.removesuffix(".npy")
            if name == "about":
                about = json.loads(array.tobytes())
                about.pop("settings", None)
                out[name] = exactly(json.dumps(figures_of(about), sort_keys=True).encode())
            elif array.dtype.kind == "f" and array.ndim == 1:
                out[name] = {"dtype": str(array.dtype), "values": figures_of(array)}
            else:
                out[name] = {"dtype": str(array.dtype), "shape": list(array.shape)} | exactly(array.tobytes())
    return out


WHOLE = ("patients", "upenn")  # runs of which each score is told, not a digest of a head's scores alone


def _read(bench: Bench, path: Path) -> Any:
    """A JSON document with its texts masked."""

    def masked(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: masked(v) for k, v in value.items()}
        if isinstance(value, list):
            return [masked(v) for v in value]
        return bench.masked(value) if isinstance(value, str) else value

    return masked(json.loads(path.read_text()))


def of_run(bench: Bench, run: Path) -> dict[str, Any]:
    """A run: its tables, its heads, and what run.json says, but versions, commit and command."""
    about = _read(bench, run / "run.json")
    about["features"].pop("digest")  # over the versions, too
    about["tables"] = {name: {"exactly": digest[:12]} for name, digest in about["tables"].items()}
    folds = sorted((run / "heads" / "folds").glob("*.npz"))
    return {
        "run.json": figures_of(about),
        "tables": {
            p.name: table_of(p, whole=p.name == "predictions.csv" and run.name in WHOLE)
            for p in sorted(run.glob("*.csv"))
        },
        "heads": {p.name: of_head(p) for p in sorted((run / "heads").glob("*.npz"))},
        "heads of folds": {
            "n": len(folds),
            **exactly(json.dumps([(p.name, of_head(p)) for p in folds], sort_keys=True).encode()),
        },
        "files": figures_of(sorted(p.relative_to(run).as_posix() for p in run.rglob("*"))),
    }


def of_json(bench: Bench, path: Path) -> Any:
    """Every number of a JSON document, but versions, commit and command; what it repeats of run.json as a digest."""
    document = _read(bench, path)
    document.get("features", {}).pop("digest", None)  # over the versions, too
    document.pop("features_digest", None)
    if isinstance(document.get("runs"), dict):
        for run in document["runs"].values():
            run.get("features", {}).pop("digest", None)
            run.pop("tables", None)
        document["runs"] = {
            k: sha(json.dumps(figures_of(v), sort_keys=True).encode()) for k, v in document["runs"].items()
        }
    return figures_of(document)


def of_page(bench: Bench, path: Path) -> str:
    """The visible words of a page."""
    return bench.masked(visible(path.read_text()))


# --- stage 1 -------------------------------------------------------------------------------------------


@case("phantom")
def _phantom(bench: Bench) -> Golden:
    folder, cache = material.phantom(bench), material.cache(bench)
    series = {}
    for name, images, _, skipped in material.prepared(folder / "train"):
        series[name] = {"n": len(images), "skipped": len(skipped), **pixels(images.tobytes())}
    truth = {p.name: table_of(p) for p in sorted(folder.glob("*.csv"))}
    info, verify = (material.call("features", verb, cache) for verb in ("info", "verify"))
    words = "\n".join((bench.said("phantom"), bench.said("f.h5"), bench.masked(info.out), bench.masked(verify.out)))
    return Golden(
        {"cache": of_cache(cache), "prepared": series, "truth": truth, "verify": verify.status}, _no_digest(words)
    )


def _no_digest(words: str) -> str:
    lines = words.splitlines()
    hidden = ("  versions:", "  code_version:", "  content digest:")
    return "\n".join(next((f"{h} <masked>" for h in hidden if line.startswith(h)), line) for line in lines)


@case("odd-images")
def _odd(bench: Bench) -> Golden:
    cache = bench.command("odd.h5", "extract", material.odd_images(bench), "--workers", 0)
    return Golden(of_rows(cache), bench.said("odd.h5"))


@case("odd-images-options")
def _odd_options(bench: Bench) -> Golden:
    options = {
        "slice": {"normalize": "slice"},
        "none": {"normalize": "none"},
        "stretch": {"resize": "stretch"},
        "coronal": {"plane": "coronal"},
        "sagittal small": {"plane": "sagittal", "size": 64},
        "augmented": {"augment": 2, "seed": 3, "size": 64},
    }
    figures: dict[str, Any] = {}
    for chosen in options.values():
        for series, images, _, skipped in material.prepared(material.odd_images(bench), **chosen):
            found = figures.setdefault(series, {"pixels": [], "n": [], "skipped": []})
            found["pixels"].append(sha(images.tobytes()))
            found["n"].append(len(images))
            found["skipped"].append(len(skipped))
    lines = {
        k: {"n": " ".join(map(str, v["n"])), "pixels": " ".join(v["pixels"]), "skipped": sum(v["skipped"])}
        for k, v in figures.items()
    }
    return Golden({"options": list(options), "series": lines})


@case("real-images", needs=("data/dicom_codec_quirks", "data/rsna_like_tcia"))
def _real(bench: Bench) -> Golden:
    figures, words = {}, []
    for which in ("quirks", "tcia"):
        cohort = material.real_images(bench, which)
        cache = bench.command(f"{which}.h5", "extract", cohort, "--workers", 0)
        words.append(bench.said(f"{which}.h5"))
        rows = of_rows(cache)
        by_series: dict[str, list[Any]] = {}
        for key, row in rows["rows"].items():
            by_series.setdefault(key.rsplit("/", 1)[0], []).append([key, row["what"], row["pixels"]])
        figures[which] = {
            "skipped": rows["skipped"],
            "series": {
                k: {"n": len(v), "first": v[0][1], **pixels(json.dumps(v).encode())} for k, v in by_series.items()
            },
            "cache": of_cache(cache, short=True)["datasets"],
        }
    return Golden(figures, "\n".join(words))


@case("options-of-extraction")
def _extraction_options(bench: Bench) -> Golden:
    cohort, figures = bench / "new", {}
    material.new_patients(bench)
    for name, options in {
        "float16": ("--dtype", "float16"),
        "augmented": ("--augment", 2, "--seed", 4),
        "sequence": ("--sequence", "flair", "--exclude", "new-3", "nobody"),
        "slice": ("--normalize", "slice", "--resize", "stretch"),
    }.items():
        figures[name] = of_cache(bench.command(f"{name}.h5", "extract", cohort, "--workers", 0, *options), short=True)
    return Golden(figures, bench.said("sequence.h5"))


@case("verbs")
def _verbs(bench: Bench) -> Golden:
    cache, (new, _) = material.cache(bench), material.new_patients(bench)
    broken, words, figures = material.damaged(bench, "a value changed"), [], {}
    for name, command in {
        "verify damaged": ("verify", broken),
        "repair": ("repair", broken, "--out", bench / "repaired.h5"),
        "merge": ("merge", cache, new, cache, "--out", bench / "merged.h5"),
        "dedupe": ("dedupe", bench / "merged.h5", "--out", bench / "deduped.h5"),
        "info": ("info", bench / "merged.h5", "--skipped"),
    }.items():
        for old in command[3:] if "--out" in command else ():
            if isinstance(old, Path) and old.name in ("repaired.h5", "merged.h5", "deduped.h5"):
                old.unlink(missing_ok=True)
        said = material.call("features", *command)
        figures[name] = {"status": said.status}
        words.append(f"--- {name}\n{bench.masked(said.out)}{bench.masked(said.err)}")
    for name in ("repaired", "merged", "deduped"):
        figures[f"{name}.h5"] = of_cache(bench / f"{name}.h5", short=True)
    return Golden(figures, _no_digest("\n".join(words)))


@case("vgg16", slow=True, needs=("weights",))
def _vgg16(bench: Bench) -> Golden:
    folder = material.phantom(bench) / "train"
    two, left_out = sorted(p.name for p in folder.iterdir())[:2], sorted(p.name for p in folder.iterdir())[2:]
    weights = SHARED / "weights" / "vgg16_imagenet_notop.h5"
    options = ("--workers", 0, "--weights", weights, "--precision", "float32", "--exclude", *left_out)
    cache = bench.command("vgg16.h5", "extract", folder, *options, embedder=None)
    vectors = {}
    with h5py.File(cache) as f:
        attributes = {k: figures_of(v) for k, v in f.attrs.items() if k not in VERSIONED}
        for k in range(len(f["series/first_row"])):
            first, n = int(f["series/first_row"][k]), int(f["series/n_rows"][k])
            block = f["features"][first : first + n].astype(float)
            vectors[str(k)] = {
                "by slice": [[float(x) for x in (*row[:8], row.mean(), row.std(), np.abs(row).max())] for row in block],
                "by column": [float(x) for x in block.mean(axis=0)[::8]],
                "zeros": int((block == 0).sum()),
            }
    statuses, words = errors.of_network(bench)
    return Golden(
        {"patients": two, "attributes": attributes, "near": vectors, "errors": statuses}, bench.said("vgg16.h5") + words
    )


# --- stage 2 -------------------------------------------------------------------------------------------


def _register_run(name: str) -> None:
    @case(f"run-{name}", slow=name == "dense")
    def _run(bench: Bench) -> Golden:
        run = material.run_of(bench, name)
        return Golden(of_run(bench, run), bench.said(run.relative_to(bench.root).as_posix()))


for _name in material.RUNS:
    _register_run(_name)


@case("demonstration")
def _demonstration(bench: Bench) -> Golden:
    options = ("--jobs", 1, "--demonstrate-leak", 3, "--folds", 3)
    out = bench.command("leak", "train", material.cache(bench), material.labels(bench), *options)
    figures = {"leak.json": of_json(bench, out / "leak.json"), "leak.csv": table_of(out / "leak.csv")}
    return Golden(figures, bench.said("leak") + of_page(bench, out / "leak.html"))


@case("run-split-file")
def _split_file(bench: Bench) -> Golden:
    folds = bench / "folds.csv"
    with material.labels(bench).open() as f:
        ids = [r["BraTS21ID"] for r in csv.DictReader(f)]
    folds.write_text("patient_id,fold\n" + "".join(f"{p},{i % 4}\n" for i, p in enumerate(ids)))
    inputs = (material.cache(bench), material.labels(bench))
    run = bench.command(
        "of file/file", "train", *inputs, "--jobs", 1, "--head", "logistic", "--permutations", 3, "--split-file", folds
    )
    return Golden(of_run(bench, run), bench.said("of file/file"))


@case("run-table")
def _table(bench: Bench) -> Golden:
    return Golden(of_run(bench, material.table_run(bench)), bench.said("of table/table"))


@case("run-upenn", needs=("data/upenn_gbm",))
def _upenn(bench: Bench) -> Golden:
    return Golden(of_run(bench, material.upenn_run(bench)), bench.said("of upenn/upenn"))


# --- stage 3 -------------------------------------------------------------------------------------------


def report(bench: Bench, name: str, *arguments: object, page: bool = False) -> Golden:
    """A report: every number of report.json, what was printed, and on demand the words of the page."""
    out = bench.command(name, "evaluate", *arguments)
    figures = {"report.json": of_json(bench, out / "report.json"), "files": sorted(p.name for p in out.iterdir())}
    figures["figures"] = figures_of(sorted(p.name for p in (out / "figures").iterdir()))
    return Golden(figures, bench.said(name) + (f"\n--- page\n{of_page(bench, out / 'report.html')}" if page else ""))


@case("report-two")
def _report_two(bench: Bench) -> Golden:
    runs = [material.run_of(bench, name) for name in ("patients", "leaky")]
    options = ("--replicates", 60, "--recalibrate", "platt")
    return report(bench, "report of two", *runs, *options, page=True)


@case("report-pooled")
def _report_pooled(bench: Bench) -> Golden:
    stamp = bench / "stamp"
    options = ("--replicates", 60, "--seed", 3, "--threshold", "youden", "--export-stamp", stamp)
    found = report(bench, "report of pooled", material.run_of(bench, "pooled"), *options)
    found.figures["stamp"] = {p.parent.name: exactly(p.read_bytes()) for p in sorted(stamp.rglob("*.csv"))}
    return found


@case("report-tuned")
def _report_tuned(bench: Bench) -> Golden:
    return report(
        bench, "report of tuned", material.run_of(bench, "tuned"), "--replicates", 60, "--recalibrate", "isotonic"
    )


@case("report-upenn", needs=("data/upenn_gbm",))
def _report_upenn(bench: Bench) -> Golden:
    return report(bench, "report of upenn", material.upenn_run(bench), "--replicates", 60)


@case("scores")
def _scores(bench: Bench) -> Golden:
    figures, words = {}, []
    new, theirs = material.new_patients(bench)
    sample = bench / "sample.csv"
    sample.write_text("BraTS21ID,MGMT_value\nnew-3,0.5\nnew-0,0.5\nnobody,0.5\n")
    submission = bench / "submission.csv"
    one = (
        "--submission",
        submission,
        "--sample",
        sample,
        "--missing-score",
        0.25,
        "--head",
        "logistic",
        "--sequence",
        "mean(FLAIR+T1wCE)",
    )
    for name, run, options in (
        ("labelled", "patients", ("--labels", theirs, "--replicates", 60)),
        ("submitted", "patients", one),
        ("of pooled", "pooled", ("--head", "boosted")),
        ("of tuned", "tuned", ()),
        ("of options", "options", ()),
    ):
        out = bench.command(f"scores {name}", "evaluate", material.run_of(bench, run), "--cache", new, *options)
        figures[name] = {"scores.csv": table_of(out / "scores.csv")}
        if (out / "scores.json").exists():
            figures[name]["scores.json"] = of_json(bench, out / "scores.json")
        words.append(f"--- {name}\n{bench.said(f'scores {name}')}")
    figures["submission.csv"] = table_of(submission)
    trained = material.call(
        "evaluate",
        material.run_of(bench, "options"),
        "--cache",
        material.cache(bench),
        "--allow-trained",
        "--out",
        bench / "trained",
    )
    figures["trained"] = {"status": trained.status, "scores.csv": table_of(bench / "trained" / "scores.csv")}
    words.append(f"--- trained\n{bench.masked(trained.out)}")
    return Golden(figures, "\n".join(words))


@case("maps")
def _maps(bench: Bench) -> Golden:
    material.new_patients(bench)
    cells = {"embedder": material.CellEmbedder}
    cache = bench.command("cells.h5", "extract", bench / "new", "--workers", 0, **cells)
    options = ("--jobs", 1, "--head", "logistic", "--folds", 3, "--repeats", 1, "--permutations", 0)
    run = bench.command("of cells/cells", "train", cache, bench / "new.csv", *options)
    out = bench.command(
        "maps of cells",
        "evaluate",
        run,
        "--explain",
        "new-3",
        "new-8",
        "--cohort",
        bench / "new",
        "--sequence",
        "FLAIR",
        **cells,
    )
    found = _read(bench, out / "explain" / "explain.json")
    for explanation in found["explanations"]:
        for piece in explanation["slices"]:
            if piece["map"]:
                piece["map"] = [x for row in piece["map"] for x in row]
    return Golden(figures_of(found), bench.said("maps of cells") + of_page(bench, out / "explain" / "explain.html"))


@case("audit")
def _audit(bench: Bench) -> Golden:
    figures, words = {}, []
    for name, planted in (("clean", 0), ("planted", 7)):
        rng = np.random.default_rng(2)
        rows = ["patient_id,slice,model,fold,label,score"]
        for model in "abc":
            for i in range(44):
                for k in range(2):
                    fold = (i + (i < planted and k == 0)) % 4
                    rows.append(f"p{i},{i}/{k},{model},{fold},{i % 2},{rng.random() + 0.2 * (i % 2):.6f}")
        table = bench / f"{name}.csv"
        table.write_text("\n".join(rows) + "\n")
        out = bench.command(f"audit {name}", "evaluate", "--audit", table, "--replicates", 60)
        figures[name] = of_json(bench, out / "audit.json")
        words.append(f"--- {name}\n{bench.said(f'audit {name}')}\n{of_page(bench, out / 'audit.html')}")
    split = bench / "splits_0.csv"
    split.write_text(",train,val,test\n" + "".join(f"{i},p{i},,p{i + 21}\n" for i in range(23)))
    out = bench.command(
        "audit split", "evaluate", "--audit", bench / "clean.csv", "--splits", split, "--replicates", 60
    )
    figures["split"] = of_json(bench, out / "audit.json")
    return Golden(figures, "\n".join(words))


# --- errors --------------------------------------------------------------------------------------------


def _register_errors(door: str) -> None:
    @case(f"errors-{door}")
    def _errors(bench: Bench) -> Golden:
        statuses, words = errors.of(bench, door)
        return Golden(statuses, words)


for _door in ("extract", "train", "evaluate", "features"):
    _register_errors(_door)
