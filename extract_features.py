"""Stage 1: COHORT -> features.h5. One vector per MRI slice from a frozen ImageNet backbone."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cli.options import typed
from core import __version__
from core.options import at_least
from core.signals import exit_status, terminable


def parser() -> argparse.ArgumentParser:
    """The options of stage 1."""
    p = argparse.ArgumentParser(prog="extract_features.py", description=__doc__)
    p.add_argument("cohort", nargs="+", type=Path, help="folder with one folder per patient")
    p.add_argument("--out", type=Path, required=True, metavar="CACHE.h5", help="the cache to make or to extend")
    p.add_argument("--sequence", nargs="+", metavar="SEQ", help="FLAIR, T1w, T1wCE, T2w (default: all)")
    p.add_argument("--exclude", nargs="+", default=[], metavar="ID", help="patients to leave out")
    p.add_argument(
        "--plane",
        default="axial",
        choices=("axial", "coronal", "sagittal"),
        help="how NIfTI volumes are cut (default: axial)",
    )
    p.add_argument(
        "--normalize",
        default="series",
        choices=("series", "slice", "none"),
        help="8-bit mapping by percentiles of the series or slice, or by the type's full range (default: series)",
    )
    p.add_argument(
        "--resize",
        default="pad",
        choices=("pad", "stretch"),
        help="pad to a square in millimetres, or stretch (default: pad)",
    )
    p.add_argument(
        "--backbone", default="vgg16", help="vgg16, vgg19, resnet50, densenet121, efficientnetv2b0 (default: vgg16)"
    )
    p.add_argument(
        "--weights", default="imagenet", metavar="imagenet|random|FILE", help="default: imagenet, verified by digest"
    )
    p.add_argument("--preprocess", help="the backbone's own name, or unit for RGB/255 (default: the backbone's own)")
    p.add_argument(
        "--precision",
        default="auto",
        choices=("auto", "float32", "float16", "bfloat16"),
        help="auto: mixed float16 on a GPU, float32 on a CPU",
    )
    p.add_argument(
        "--dtype", default="float32", choices=("float32", "float16"), help="of the stored vectors (default: float32)"
    )
    p.add_argument(
        "--margins",
        default="auto",
        choices=("auto", "skip", "compute"),
        help="skip: VGG leaves out the black around the brain, with the same vectors to 1e-6; auto: skip on a CPU",
    )
    p.add_argument(
        "--batch",
        type=typed(at_least(1)),
        metavar="N",
        help="slices per step of the network (default: 16 on a CPU, 32 on a GPU)",
    )
    p.add_argument(
        "--augment",
        type=typed(at_least(0)),
        default=0,
        metavar="N",
        help="store N random views of each slice too, for training only",
    )
    p.add_argument("--seed", type=int, default=0, help="of the random views and of random weights (default: 0)")
    p.add_argument(
        "--workers",
        type=typed(at_least(0)),
        default=max(1, (os.cpu_count() or 1) - 1),
        metavar="N",
        help="decoding processes; 0 decodes in this one, which a broken file can crash (default: cores - 1)",
    )
    p.add_argument("--strict", action="store_true", help="stop at the first file that cannot be used")
    p.add_argument(
        "--accept-versions", action="store_true", help="extend a cache made with other versions of the libraries"
    )
    p.add_argument("--version", action="version", version=__version__)
    return p


@terminable()
def main(argv: Sequence[str] | None = None) -> int:
    """Find the scans, extract what is missing, print the summary."""
    args = parser().parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        from functools import partial

        from tqdm import tqdm

        from features.backbones.keras_applications import Embedder
        from features.cache.isolated import try_to_open
        from features.extract import extract, summary_lines
        from features.scans.find import SEQUENCES, find_scans, match_sequence

        args.out.parent.mkdir(parents=True, exist_ok=True)
        if args.out.exists():
            try_to_open(args.out)  # before there are threads of the network
        wanted = [match_sequence(s) or s for s in args.sequence or SEQUENCES]
        scans = find_scans(args.cohort, sequences=wanted, exclude=args.exclude)
        embed = Embedder(
            args.backbone,
            weights=args.weights,
            preprocess=args.preprocess,
            precision=args.precision,
            margins=args.margins,
            batch=args.batch,
            seed=args.seed,
        )
        print(
            f"{args.backbone} on the {embed.device}, {embed.precision}, {embed.settings['weights']} weights from {embed.origin}"
        )
        summary = extract(
            scans,
            args.out,
            embed=embed,
            normalize=args.normalize,
            resize=args.resize,
            plane=args.plane,
            augment=args.augment,
            seed=args.seed,
            dtype=args.dtype,
            workers=args.workers,
            strict=args.strict,
            accept_versions=args.accept_versions,
            progress=partial(tqdm, mininterval=0.5 if sys.stderr.isatty() else 20),
        )
    except (ValueError, OSError) as error:
        print(f"extract_features.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print("stopped; finished series are kept, run the same command again to go on", file=sys.stderr)
        return exit_status(stop)
    print("\n".join(summary_lines(summary, scans)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
