"""The window: Kivy's environment, which must be set before any of Kivy is imported."""

import os
from importlib.util import find_spec
from pathlib import Path

from kiosk_app.layout.panel import Panel


def prepare(*, home: Path, panel: Panel, fullscreen: bool, rotation: int = 0) -> None:
    """Set the stage for Kivy in this process. ``home`` is a folder for what it may want to keep,
    ``rotation`` by how many degrees the picture is turned on the screen, against the clock.

    Nothing of Kivy may have been imported before.
    """
    os.environ.update(
        KIVY_HOME=str(home),
        KIVY_DATA_DIR=str(_without_style(home / "data")),
        KIVY_NO_CONFIG="1",  # its settings are those below, and no file's
        KCFG_KIVY_LOG_LEVEL="warning",
        KIVY_NO_ARGS="1",
        KIVY_NO_FILELOG="1",
        KIVY_NO_CONSOLELOG="1",
        KIVY_LOG_MODE="PYTHON",  # its messages go where ours go
        KIVY_TEXT="pil",  # the one provider that shapes every script
        KIVY_WINDOW="sdl2",
        KIVY_IMAGE="sdl2",  # Pillow's would import each of its formats
    )
    from kivy.config import Config  # noqa: PLC0415  # see above

    width, height = panel.width_px, panel.height_px
    if rotation in (90, 270):
        width, height = height, width
    for section, option, value in (
        ("kivy", "exit_on_escape", 0),
        ("graphics", "width", width),
        ("graphics", "height", height),
        ("graphics", "rotation", rotation),
        ("graphics", "fullscreen", "auto" if fullscreen else 0),
        ("graphics", "resizable", 0),
        ("graphics", "show_cursor", int(not fullscreen)),
        ("graphics", "multisamples", 0),
        ("graphics", "maxfps", 0),  # `event_wait` waits instead
    ):
        Config.set(section, option, str(value))
    # One panel is one pointer: a second provider would give each tap twice (kivy #1903).
    for provider, _ in Config.items("input"):
        Config.remove_option("input", provider)
    Config.set("input", "mouse", "mouse,disable_multitouch,disable_hover")


def _without_style(folder: Path) -> Path:
    """Kivy's data but the styles of its own widgets: none is shown, and reading them takes long."""
    spec = find_spec("kivy")
    assert spec is not None
    assert spec.origin is not None
    folder.mkdir()
    for each in (Path(spec.origin).parent / "data").iterdir():
        if each.name != "style.kv":
            (folder / each.name).symlink_to(each)
    (folder / "style.kv").touch()
    return folder
