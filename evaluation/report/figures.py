"""Figures as PNG and SVG, in one style. matplotlib is imported where it draws."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.documents import Document

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#2563a8", "#c2571a", "#6b7280"
_STYLE: dict[Any, Any] = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "mgmt-radiogenomics",  # the same figure gives the same file
    "legend.frameon": False,
    "text.parse_math": False,  # a $ in a name is a $
}
BLANK: Document = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # behind text that crosses a line


@dataclass
class Drawing:
    """A figure, as it stands inside the report and as files beside it.

    name : of its files, without suffix; alt : in words what it shows; svg : empty where it was drawn to files already
    """

    name: str
    title: str
    alt: str
    png: bytes
    svg: bytes = b""

    @property
    def data_uri(self) -> str:
        """The PNG for an <img> in a self-contained page."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode()

    def write(self, folder: Path) -> None:
        """Write NAME.png and NAME.svg into `folder`, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.name}.png").write_bytes(self.png)
        (folder / f"{self.name}.svg").write_bytes(self.svg)


@contextmanager
def canvas(width: float, height: float, size: float = 9) -> Iterator[Any]:
    """`with canvas(width, height) as fig`: a matplotlib Figure in inches, in the style of the report, its letters `size` points."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE | {"font.size": size, "axes.titlesize": size + 1}):
        yield Figure(figsize=(width, height), dpi=130, layout="constrained")


def drawn(fig: Figure, name: str, title: str, alt: str) -> Drawing:
    """A matplotlib Figure as a `Drawing`; nothing is written.

    It is laid out once and drawn once for each format: `Figure.savefig` would draw everything twice.

    Parameters
    ----------
    fig : a matplotlib Figure, as `canvas` gives it
    name : of the files that it becomes; characters that files do not take are replaced
    title, alt : what stands above it, and what it shows, in words
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    layout = fig.get_layout_engine()
    assert layout is not None
    layout.execute(fig)
    fig.set_layout_engine("none")
    image, text = io.BytesIO(), io.StringIO()
    pixels: Any = FigureCanvasAgg(fig)
    pixels.print_png(image, metadata={"Software": None})
    lines: Any = FigureCanvasSVG(fig)
    lines.print_svg(text, metadata={"Date": None})  # last: it changes the figure's resolution
    return Drawing(re.sub(r"[^\w+.-]", "_", name), title, alt, image.getvalue(), text.getvalue().encode())


def save_figure(fig: Figure, folder: Path, name: str, title: str, alt: str) -> Drawing:
    """`drawn`, and written into `folder`."""
    drawing = drawn(fig, name, title, alt)
    drawing.write(folder)
    return drawing
