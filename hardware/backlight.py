"""The backlight: how bright the screen is, by the kernel's files."""

import os
from pathlib import Path


class Backlight:
    """A panel's backlight: a folder in ``/sys/class/backlight``."""

    def __init__(self, folder: Path) -> None:
        self._brightness = folder / "brightness"
        self._most = int((folder / "max_brightness").read_text())
        self._shown = self._read()

    def shine(self, percent: int) -> None:
        """Shine at so many of a hundred parts of the most that it can, but never not at all."""
        wanted = max(1, round(self._most * percent / 100))
        if wanted != self._shown:
            with open(self._brightness, "w", opener=_open_what_is_there) as file:
                file.write(f"{wanted}\n")
            self._shown = wanted

    def trouble(self) -> str | None:
        """None, if it can be read how bright it is."""
        self._shown = self._read()
        return None

    def close(self) -> None:
        """Leave it as bright as it can be, for whoever comes after us."""
        self.shine(100)

    def _read(self) -> int:
        return int(self._brightness.read_text())


def _open_what_is_there(path: str, flags: int) -> int:
    return os.open(path, flags & ~os.O_CREAT)
