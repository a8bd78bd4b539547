"""Takes a picture of each page at three widths, for people to look at: pictures.py FOLDER."""

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from office import OPEN, TODAY, chromium, open_details, serving, write_a_year
from stamps import stamped

from sync_service.collector.sheet import write_sheet

WIDTHS = (320, 800, 1280)


def main(folder: Path) -> None:
    """Take them all."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as held:
        url = f"sqlite+aiosqlite:///{held}/collector.db"
        asyncio.run(write_a_year(url))
        with chromium() as browser:
            with serving(url) as address:
                for name, path in OPEN.items():
                    _take(browser, folder, name, address + path)
            with serving(url, account=("Morwenna", "three quiet words")) as address:
                _take(browser, folder, "sign in", f"{address}/sign-in")
            sheet = Path(held, "sheet.html")
            one = stamped("By the door", call="Ana at the central team, 01234 567890")
            sheet.write_text(write_sheet(one, TODAY), encoding="utf-8")
            _take(browser, folder, "sheet", sheet.as_uri())


def _take(browser, folder: Path, name: str, place: str) -> None:
    for width in WIDTHS:
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.goto(place)
        if name == "site with few answers":
            open_details(page)
        picture = folder / f"{name.replace(' ', '-')}-{width}.png"
        page.screenshot(path=picture, full_page=True)
        page.close()
        print(picture)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
