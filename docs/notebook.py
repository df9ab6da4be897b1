"""Builds docs/tour.ipynb from docs/tour.py and runs it, in a temporary directory: make notebook.

The source is Python in the percent format: ``# %%`` starts a cell of code, ``# %% [markdown]`` one of text, whose lines are
comments. What depends on the machine or the moment is left out of the file: versions, times, random names of cells.
"""

from __future__ import annotations

import base64
import io
import re
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE, NOTEBOOK = HERE / "tour.py", HERE / "tour.ipynb"
PICTURE_WIDTH, COLOURS = 720, 48
"""Pictures are made this small, so that the file stays under 300 kB."""


def cells_of(source: str) -> list[tuple[str, str]]:
    """("markdown" or "code", text) for each cell."""
    start, *parts = re.split(r"^# %%(.*)\n", source, flags=re.M)
    if start.strip():
        raise SystemExit("docs/tour.py: there is text before the first # %%")
    cells = []
    for mark, text in zip(parts[::2], parts[1::2], strict=True):
        text = text.strip("\n")
        if mark.strip() == "[markdown]":
            cells.append(("markdown", re.sub(r"^# ?", "", text, flags=re.M)))
        else:
            cells.append(("code", text))
    return cells


def small(png: str) -> str:
    """A PNG in base64, scaled down and with few colours."""
    from PIL import Image  # matplotlib needs it, so it is there

    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    height = round(picture.height * PICTURE_WIDTH / picture.width)
    picture = picture.resize((PICTURE_WIDTH, height), Image.Resampling.LANCZOS).quantize(COLOURS)
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def main() -> None:
    """Write the notebook, with outputs."""
    import nbformat
    from nbclient import NotebookClient

    makers = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
    book = nbformat.v4.new_notebook()
    for number, (kind, text) in enumerate(cells_of(SOURCE.read_text()), 1):
        book.cells.append(makers[kind](text, id=f"cell-{number}"))
    with tempfile.TemporaryDirectory() as directory:
        place = {"metadata": {"path": directory}}
        NotebookClient(book, kernel_name="python3", coalesce_streams=True, resources=place).execute()
    for cell in book.cells:
        cell.metadata = {}
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output["data"] = {"image/png": small(output["data"]["image/png"])}
    book.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    nbformat.validate(book)
    nbformat.write(book, NOTEBOOK)
    print(f"{NOTEBOOK.name}: {NOTEBOOK.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
