"""`python -m features VERB`: look into a cache, check it, keep what is intact, join caches, leave out copies; make a phantom."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from core.system.signals import exit_status, terminable
from core.text import printable


def parser() -> argparse.ArgumentParser:
    """The verbs."""
    p = argparse.ArgumentParser(prog="python -m features", description=__doc__)
    verbs = p.add_subparsers(dest="verb", required=True)
    info = verbs.add_parser("info", help="print what is inside a cache")
    info.add_argument("cache", type=Path)
    info.add_argument("--skipped", action="store_true", help="list every skipped file with its reason")
    verify = verbs.add_parser("verify", help="check a cache against itself; exit status 1 if it is damaged")
    verify.add_argument("cache", type=Path)
    repair = verbs.add_parser("repair", help="copy what is intact, and list what to extract again")
    repair.add_argument("cache", type=Path)
    merge = verbs.add_parser("merge", help="join caches that were extracted apart with the same settings")
    merge.add_argument("cache", type=Path, nargs="+")
    dedupe = verbs.add_parser(
        "dedupe", help="name patients that are a copy of another, and leave them out of a new cache"
    )
    dedupe.add_argument("cache", type=Path)
    dedupe.add_argument(
        "--out", type=Path, metavar="NEW.h5", help="the cache to make; must be new (default: only name them)"
    )
    for verb in (repair, merge):
        verb.add_argument("--out", type=Path, required=True, metavar="NEW.h5", help="the cache to make; must be new")
    phantom = verbs.add_parser("phantom", help="make a cohort with known answers")
    phantom.add_argument("out", type=Path)
    phantom.add_argument("--patients", type=int, default=24, help="default: 24")
    phantom.add_argument(
        "--effect",
        type=float,
        default=1.0,
        help="distance of the classes in standard deviations, 0 for none (default: 1)",
    )
    phantom.add_argument("--seed", type=int, default=0, help="default: 0")
    phantom.add_argument("--slices", type=int, default=24, help="of each series (default: 24)")
    phantom.add_argument("--sequence", nargs="+", default=["FLAIR", "T1w", "T1wCE", "T2w"], help="default: all four")
    phantom.add_argument(
        "--shortcut",
        type=int,
        default=0,
        metavar="N",
        help="plant a signal that is not anatomy: N more slices in each series of a positive (default: 0, none)",
    )
    return p


@terminable()
def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb.

    Parameters
    ----------
    argv : the arguments; by default those of the command line

    Returns
    -------
    0 if all is well, 1 for a damaged cache, 2 for wrong input, 128 and the number of the signal that stopped it
    """
    args = parser().parse_args(argv)
    verbs = {
        "info": _info,
        "verify": _verify,
        "repair": _repair,
        "merge": _merge,
        "dedupe": _dedupe,
        "phantom": _phantom,
    }
    try:
        lines = verbs[args.verb](args)
    except DamagedError as error:
        print(error)
        return 1
    except (ValueError, OSError) as error:
        print(f"python -m features: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print("python -m features: stopped; run the same command again", file=sys.stderr)
        return exit_status(stop)
    print("\n".join(map(printable, lines)))
    return 0


class DamagedError(Exception):
    """What is wrong with a cache, a line for each problem."""


def _info(args: argparse.Namespace) -> list[str]:
    from cli.words.cache import info_lines

    return info_lines(args.cache, args.skipped)


def _verify(args: argparse.Namespace) -> list[str]:
    from features.cache.isolated import verify_apart

    if problems := verify_apart(args.cache):
        raise DamagedError("\n".join(map(printable, problems)))
    return [f"{args.cache}: sound"]


def _repair(args: argparse.Namespace) -> list[str]:
    from features.cache.repair import repair

    n, lost = repair(args.cache, args.out)
    return [
        f"{args.out}: {n} series are intact, {len(lost)} must be extracted again",
        *(f"  {words}" for words in lost),
        f"next: python extract_features.py COHORT --out {args.out}, with the settings of before, fills the gaps",
    ]


def _merge(args: argparse.Namespace) -> list[str]:
    from features.cache.merge import merge

    n, alike = merge(args.cache, args.out)
    return [f"{args.out}: {n} series of {len(args.cache)} caches; {alike} stood in several, alike, and are kept once"]


def _dedupe(args: argparse.Namespace) -> list[str]:
    from features.cache.dedupe import copies, dedupe

    removed, kept = dedupe(args.cache, args.out) if args.out else copies(args.cache)
    where = f", left out of {args.out}" if args.out else ""
    return [
        f"patients that are a copy of another: {len(removed)}{where}",
        *(f"  {patient}: a copy of {original} ({what})" for patient, (original, what) in removed.items()),
        *(f"  kept, though they share images: {pair}" for pair in kept),
    ]


def _phantom(args: argparse.Namespace) -> list[str]:
    from features.phantom import ideal_auc, make_phantom

    folder = make_phantom(
        args.out,
        patients=args.patients,
        effect=args.effect,
        seed=args.seed,
        slices=args.slices,
        sequences=tuple(args.sequence),
        shortcut=args.shortcut,
    )
    best = f"{ideal_auc(args.effect):.3f}"
    planted = f" by anatomy; positives have {args.shortcut} more slices" if args.shortcut else ""
    return [f"{folder}: {args.patients} patients; the best possible AUC is {best}{planted}"]
