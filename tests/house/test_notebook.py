"""The notebook runs from images to the report, with the real network."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "quickstart.ipynb"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_notebook_runs_to_the_report(tmp_path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    place = tmp_path / "notebooks"
    place.mkdir()
    for name in ("core", "features", "heads", "evaluation"):  # the notebook looks for them in the folder above its own
        (tmp_path / name).symlink_to(NOTEBOOK.parent.parent / name)
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(place)}}).execute()
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    text = "".join(o.get("text", "") for o in outputs if o["output_type"] == "stream")
    assert "logistic" in text and "AUC by fold" in text
    frames = [o for o in outputs if "text/html" in o.get("data", {})]
    assert len(frames) >= 4  # the data, its rows, the run and the results show as tables
    assert (place / "quickstart" / "report" / "report.html").exists()
    shutil.rmtree(place)
