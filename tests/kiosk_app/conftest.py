"""A site, and real kiosks on a real screen."""

import pytest
from kiosk_site import Site
from kiosk_window import KioskWindow
from lone_centre import LoneCentre

from kiosk_app.layout.panel import DEFAULT_PANEL, PANELS
from kiosk_app.ui.window import prepare


@pytest.fixture(scope="session")
def centre():
    return LoneCentre()


@pytest.fixture
def site(tmp_path, centre):
    return Site(tmp_path, centre)


@pytest.fixture
def run_kiosk(site, xvfb):
    """Runs the real kiosk of the site on a screen of its own; ended with the test at the latest."""
    windows = []

    def run(**settings):
        windows.append(KioskWindow(site.settings(**settings)))
        return windows[-1]

    yield run
    for window in windows:
        window.__exit__()


@pytest.fixture(scope="session")
def stage(tmp_path_factory):
    """Kivy in this process, with a window; the modules that need it are imported after this."""
    prepare(home=tmp_path_factory.mktemp("kivy"), panel=PANELS[DEFAULT_PANEL], fullscreen=False)
