"""Stage 1: COHORT -> features.h5. One vector per MRI slice from a frozen ImageNet backbone."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from cli.options import add_options, options_from
from core import __version__
from core.system.signals import exit_status, terminable
from features.backbones.registry import BackboneOptions, load_backbone
from features.options import ExtractOptions


def parser() -> argparse.ArgumentParser:
    """The options of stage 1."""
    p = argparse.ArgumentParser(prog="extract_features.py", description=__doc__)
    add_options(p, ExtractOptions)
    p.add_argument("--version", action="version", version=__version__)
    return p


@terminable()
def main(argv: Sequence[str] | None = None) -> int:
    """Find the scans, extract what is missing, print the summary.

    Parameters
    ----------
    argv : the arguments; by default those of the command line

    Returns
    -------
    0 if all is well, 2 for wrong input, 128 and the number of the signal that stopped it
    """
    options = options_from(ExtractOptions, parser().parse_args(argv))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        from functools import partial

        from tqdm import tqdm

        from cli.words.cache import network_line, precision_lines, summary_lines
        from features.extraction import check_cache, extract_scans, find_cohort

        check_cache(options.out)
        scans = find_cohort(options)
        embed = load_backbone(options.backbone, BackboneOptions.of(options, print))
        print("\n".join([network_line(options.backbone, embed), *precision_lines(options.precision, embed)]))
        bar = partial(tqdm, mininterval=0.5 if sys.stderr.isatty() else 20)
        summary = extract_scans(scans, embed, options, progress=bar)
    except (ValueError, OSError) as error:
        print(f"extract_features.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print("stopped; finished series are kept, run the same command again to go on", file=sys.stderr)
        return exit_status(stop)
    print("\n".join(summary_lines(summary)))
    return 0
