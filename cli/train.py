"""Stage 2: features.h5 (or a CSV of per-patient features) + LABELS.csv -> runs/NAME with out-of-fold predictions."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from cli.options import add_options, options_from
from core import __version__
from core.system.lock import file_lock
from core.system.signals import exit_status, terminable
from heads.training.options import TrainOptions, head_parameters


def parser() -> argparse.ArgumentParser:
    """The options of stage 2, those of all registered heads among them."""
    p = argparse.ArgumentParser(prog="train_head.py", description=__doc__)
    add_options(p, TrainOptions, head_parameters())
    p.add_argument("--version", action="version", version=__version__)
    return p


def asked(argv: Sequence[str] | None) -> TrainOptions:
    """What a command line asks for."""
    given = parser().parse_args(argv)
    options = options_from(TrainOptions, given)
    options.parameters = vars(options_from(head_parameters(), given))
    return options


@terminable()
def main(argv: Sequence[str] | None = None) -> int:
    """Train the heads, write the run, print the comparison.

    Parameters
    ----------
    argv : the arguments; by default those of the command line

    Returns
    -------
    0 if all is well, 2 for wrong input, 128 and the number of the signal that stopped it
    """
    options = asked(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        from core.system.files import recover

        options.check()  # before the lock, which makes the folder that the run is to lie in
        with file_lock(options.out) as notes:
            recover(options.out)
            for note in notes:
                print(note, flush=True)
            _make(options, argv)
    except (ValueError, OSError) as error:
        print(f"train_head.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print("train_head.py: stopped; nothing was written, run the same command again", file=sys.stderr)
        return exit_status(stop)
    return 0


def _make(options: TrainOptions, argv: Sequence[str] | None) -> None:
    """A run, or a leak demonstration."""
    from cli.demonstrating import write_demonstration
    from cli.telling import say, tell
    from core.leak import leak_sentence
    from evaluation.report.console import comparison_lines
    from heads.training.train import demonstrate_leak, train

    if options.demonstrate_leak:
        write_demonstration(demonstrate_leak(options, tell, argv), options)
        return
    run = train(options, tell, argv)
    run.save(options.out, overwrite=options.overwrite)
    say("\n".join(comparison_lines(run.predictions, leak_sentence(run.leak) if run.leak else "")))
    say(f"\nwrote {options.out}; next: python evaluate.py {options.out} --out report")
