"""An audit from Python, and its options as the door has them."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

import pytest

import evaluate
from cli.auditing import audit_options, run_audit
from cli.options import add_options
from core.options import options_of
from evaluation.audit import Audit, AuditOptions, audit
from evaluation.audit.findings import FindingKind, Overlap


def a_file(folder: Path, n: int = 40, leaking: int = 3) -> Path:
    """Patients with two rows in five folds; of some the second row lies in another fold."""
    rows = [
        f"p{i:02d},{i}/{k},{(i + (i < leaking) * k) % 5},{i // 5 % 2},0.{(37 * i + k) % 90 + 10}"
        for i in range(n)
        for k in range(2)
    ]
    path = folder / "p.csv"
    path.write_text("\n".join(["patient,slide,fold,label,score", *rows]) + "\n")
    return path


def test_an_audit_is_one_call(tmp_path: Path) -> None:
    found = audit(AuditOptions(predictions=a_file(tmp_path), replicates=50))
    assert isinstance(found, Audit)
    assert found.leaks.found and found.leaks.in_training == {"p00", "p01", "p02"}
    leak = found.findings[0]
    assert isinstance(leak, Overlap)
    assert (leak.kind, leak.patients, leak.of, leak.assumed) == (FindingKind.LEAK, ("p00", "p01", "p02"), 40, True)
    assert found.clean is not None and found.clean[0].patients == 37
    assert found.luck is None, "one result"
    assert FindingKind.POWER not in {finding.kind for finding in found.findings}, "a leak gets no power line"


@pytest.mark.slow
def test_what_the_door_says_comes_from_run_audit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = a_file(tmp_path, leaking=0), tmp_path / "out"
    assert evaluate.main(["--audit", str(path), "--out", str(out), "--replicates", "50"]) == 0
    said = capsys.readouterr().out
    again = tmp_path / "again"
    lines = run_audit(AuditOptions(predictions=path, replicates=50), ["--audit", str(path)], again, again).splitlines()
    assert "\n".join(lines[:-1]) == "\n".join(said.splitlines()[:-1])
    assert lines[-1] == f"audit: {tmp_path / 'again' / 'audit.html'}"
    (there, again) = ((folder / "figures" / "audit.svg").read_bytes() for folder in (out, tmp_path / "again"))
    assert there == again


def test_the_flags_of_the_options_are_those_of_the_door() -> None:
    own = argparse.ArgumentParser()
    add_options(own, AuditOptions)
    at_the_door = {a.dest if a.dest != "audit" else "predictions": a for a in evaluate.parser()._actions}
    for action in own._actions[1:]:
        there = at_the_door[action.dest]
        assert (action.option_strings, action.nargs, action.metavar) == (
            there.option_strings,
            there.nargs,
            there.metavar,
        )
    assert {f.name for f, _ in options_of(AuditOptions)} == {a.dest for a in own._actions[1:]}


def test_options_from_the_door_take_what_it_shares_with_other_commands() -> None:
    given = [
        "--audit",
        "p.csv",
        "--splits",
        "a.csv",
        "b.json",
        "--positive",
        "MSIH",
        "--seed",
        "4",
        "--label-column",
        "y",
    ]
    options = audit_options(evaluate.parser().parse_args(given))
    expected = AuditOptions(
        predictions=Path("p.csv"), splits=[Path("a.csv"), Path("b.json")], positive="MSIH", seed=4, label_column="y"
    )
    assert options == expected
    assert options.named.label == "y" and options.named.positive == "MSIH"
    assert {f.name for f in fields(options)} >= {"replicates", "negative", "patient_column"}


def test_public_names_are_found_when_asked_for() -> None:
    import evaluation.audit as house

    assert {"audit", "Audit", "AuditOptions"} <= set(dir(house))
    with pytest.raises(AttributeError, match="has no attribute 'leak'"):
        house.leak  # noqa: B018
