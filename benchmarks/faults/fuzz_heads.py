"""What do changed files of boosted heads do? Texts of LightGBM given to LightGBM, against our arrays given to `heads.bundle`.

`python -m benchmarks fuzz_heads` changes each 2,000 times. The bytes are changed inside the archive, whose checksums are then made
anew, as somebody would who means harm: an archive that was damaged by chance differs from its checksums and is refused for that.
"""

from __future__ import annotations

import io
import os
import signal
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.faults.fuzz_inputs import mutant
from heads import bundle
from heads.boosted import Boosted
from heads.bundle import Bundle

SECONDS, MEMORY = 5, 4 * 1024**3
OUTCOMES = ("scores", "refused", "no scores", "other error", "crashed", "hung")
_RNG = np.random.default_rng(0)
X = _RNG.normal(size=(60, 8)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] > 0).astype(int)


def text_of_lightgbm() -> bytes:
    """A model of 20 trees as LightGBM writes it."""
    import lightgbm

    parameters = {"objective": "binary", "num_leaves": 8, "min_data_in_leaf": 1, "verbosity": -1, "num_threads": 1}
    booster = lightgbm.train(parameters, lightgbm.Dataset(X, Y), 20)
    return str(booster.model_to_string()).encode()


def scores_of_text(text: bytes) -> np.ndarray:
    """The scores of a text that LightGBM reads."""
    import lightgbm

    try:
        return np.asarray(lightgbm.Booster(model_str=text.decode()).predict(X, num_threads=1))
    except lightgbm.basic.LightGBMError as error:
        raise ValueError(str(error)) from None


def file_of_ours() -> bytes:
    """A fitted head of 20 trees."""
    fitted, _ = Boosted(rounds=20).fit(X, Y, np.ones(len(Y)), patient=np.arange(len(Y)).astype(object), seed=0)
    with tempfile.TemporaryDirectory() as folder:
        bundle.save_bundle(Path(folder, "h.npz"), Bundle(fitted, {"head": "boosted", "sequence": "FLAIR"}))
        return Path(folder, "h.npz").read_bytes()


def changed_member(content: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """The archive with one array changed, and sound checksums."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {m.filename: archive.read(m) for m in archive.infolist()}
    name = str(rng.choice(sorted(members)))
    members[name] = mutant(members[name], other, rng)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for member, raw in members.items():
            archive.writestr(member, raw)
    return out.getvalue()


def scores_of_file(content: bytes) -> np.ndarray:
    """The scores of a head as the commands load it."""
    with tempfile.NamedTemporaryFile(suffix=".npz") as f:
        f.write(content)
        f.flush()
        return bundle.load_bundle(Path(f.name)).fitted.scores(X)


def fuzz(
    whole: bytes,
    change: Callable[[bytes, bytes, np.random.Generator], bytes],
    read: Callable[[bytes], np.ndarray],
    tries: int,
    seed: int = 0,
) -> Counter[str]:
    """How often each outcome was met. Changed files are read in forks, each until one of them ends it."""
    met: Counter[str] = Counter()
    with tempfile.NamedTemporaryFile("r+") as answers:
        while (done := sum(met.values())) < tries:
            answers.truncate(0)
            pid = os.fork()
            if pid == 0:
                _read_on(whole, change, read, range(done, tries), seed, Path(answers.name))
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            met.update(Path(answers.name).read_text().splitlines())
            if sum(met.values()) < tries:
                met["hung" if code == -signal.SIGALRM else "crashed"] += 1
    return met


def _read_on(
    whole: bytes,
    change: Callable[[bytes, bytes, np.random.Generator], bytes],
    read: Callable[[bytes], np.ndarray],
    numbers: range,
    seed: int,
    answers: Path,
) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with open(os.devnull, "w") as nowhere, answers.open("a") as out:  # noqa: PTH123 - what C++ prints
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        for k in numbers:
            content = change(whole, whole[::-1], np.random.default_rng([seed, k]))
            signal.setitimer(signal.ITIMER_REAL, SECONDS)
            try:
                scores = read(content)
                sound = scores.shape == (len(X),) and ((scores >= 0) & (scores <= 1)).all()
                word = "scores" if sound else "no scores"
            except ValueError:
                word = "refused"
            except Exception:
                word = "other error"
            signal.setitimer(signal.ITIMER_REAL, 0)
            print(word, file=out, flush=True)
    os._exit(0)


def main(tries: int = 2000) -> None:
    """Print what became of the changed files."""
    print(f"| file | tried | {' | '.join(OUTCOMES)} |")
    print("| --- " * (2 + len(OUTCOMES)) + "|")
    for name, whole, change, read in (
        ("LightGBM's text, read by LightGBM", text_of_lightgbm(), mutant, scores_of_text),
        ("a boosted head of ours", file_of_ours(), changed_member, scores_of_file),
    ):
        met = fuzz(whole, change, read, tries)
        print(f"| {name} | {tries} | {' | '.join(str(met[word]) for word in OUTCOMES)} |", flush=True)
