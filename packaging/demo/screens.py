"""Draws each screen on each panel in each language into build/screens, and prints the paths.

Each panel has a window of its own, on a virtual screen of its size; what is in the pictures is
what the window shows. `sheet-PANEL.png` has all of a panel's pictures side by side.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from easel import Easel
from PIL import Image
from pyvirtualdisplay.display import Display
from views import in_both_languages, in_one_language

from kiosk_app.layout.panel import PANELS, Panel
from kiosk_app.layout.placed import Act, Deed
from kiosk_app.view import View

PICTURES: Final = Path(__file__).parents[2] / "build/screens"
THUMBNAIL_PX: Final = 160_000
"""How many pixels a picture has on the sheet, about."""
COLUMNS: Final = 6


def every_view() -> Iterator[tuple[str, View]]:
    """Every kind of screen, in each language and in both, with its name."""
    for language, other in (("en", "cy"), ("cy", "en")):
        for name, view in in_one_language(language, other):
            yield f"{name}-{language}", view
    for name, view in in_both_languages("cy", "en"):
        yield f"{name}-both", view


def draw(panel: Panel) -> None:
    """Draw every screen on a panel, in a window that is opened for it in this process."""
    with Easel(panel) as easel:

        def picture(name: str) -> None:
            path = PICTURES / f"{panel.name}-{name}.png"
            easel.picture().save(path)
            print(path)

        for name, view in every_view():
            easel.show(view)
            picture(name)
            write = Deed(Act.LEAF, (1,))
            if any(button.deed == write for button in easel.layout.buttons):
                easel.do(write)
                picture(f"{name}-leaf-2")


def sheet(panel: Panel) -> Path:
    """Put all pictures of a panel on one sheet, the languages of a screen beside each other."""
    files = sorted(PICTURES.glob(f"{panel.name}-*.png"), key=lambda file: file.stem)
    scale = (THUMBNAIL_PX / (panel.width_px * panel.height_px)) ** 0.5
    width, height = round(panel.width_px * scale), round(panel.height_px * scale)
    rows = -(-len(files) // COLUMNS)
    gap = 8
    paper = Image.new("RGB", (COLUMNS * (width + gap), rows * (height + gap)), "grey")
    for number, file in enumerate(files):
        row, column = divmod(number, COLUMNS)
        with Image.open(file) as image:
            small = image.resize((width, height), Image.Resampling.LANCZOS)
        paper.paste(small, (column * (width + gap), row * (height + gap)))
    path = PICTURES / f"sheet-{panel.name}.png"
    paper.save(path)
    return path


def main() -> None:
    """Draw every screen on every panel, or on the one that is named."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    if len(sys.argv) > 1:
        draw(PANELS[sys.argv[1]])
        return
    for panel in PANELS.values():
        size = (panel.width_px, panel.height_px)
        with Display(visible=False, size=size, color_depth=24):
            subprocess.run([sys.executable, __file__, panel.name], check=True)
        print(sheet(panel))


if __name__ == "__main__":
    main()
