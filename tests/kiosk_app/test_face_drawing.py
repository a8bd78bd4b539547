"""Faces as they are drawn in a real window."""

import pytest

from kiosk_app.ui.faces import face
from kiosk_app.ui.palette import FACE_LINE, Look, shade


@pytest.fixture
def drawn(stage):
    """Draws a face on a button's ground, and gives the colour at each point of it."""
    from kivy.core.window import Window
    from kivy.graphics import ClearBuffers, ClearColor, Fbo

    from kiosk_app.ui.face_drawing import FaceDrawing

    assert Window is not None  # what is drawn by, before anything is drawn

    def draw(place, of, look, side=100):
        drawing = FaceDrawing(place, of)
        drawing.draw(look, 10, 10, side)
        sheet = Fbo(size=(side + 20, side + 20))
        with sheet:
            ClearColor(*look.face)
            ClearBuffers()
        sheet.add(drawing)
        sheet.draw()

        def colour_at(across, up):
            radius = side / 2
            x, y = (round(10 + radius * (1 + part)) for part in (across, up))
            return tuple(part / 255 for part in sheet.get_pixel_color(x, y))

        return colour_at

    return draw


def alike(colour):
    return pytest.approx(colour, abs=0.01)


@pytest.mark.parametrize("look", [Look.STRONG, Look.PLAIN, Look.PRESSED])
@pytest.mark.parametrize("place", [1, 3, 5])
def test_what_is_drawn_is_the_face_in_its_shade_on_its_button(drawn, place, look):
    colour_at = drawn(place, 5, look)
    one = face(place, 5)
    for stroke in one.strokes:
        for point in stroke.points:
            assert colour_at(*point) == alike(FACE_LINE)
    for cheek in ((-0.7, 0), (0.7, 0), (0, 0.8), (0, -0.8), (0, 0.05)):
        assert colour_at(*cheek) == alike(shade(place, 5))
    for corner in ((-1, -1), (1, -1), (-1, 1), (1, 1)):
        assert colour_at(*corner) == alike(look.face)
    assert colour_at(0, 0.97) == pytest.approx(look.edge, abs=0.15)


def test_a_line_has_the_width_that_it_was_given(drawn):
    colour_at = drawn(3, 5, Look.PLAIN, side=400)
    half = face(3, 5).mouth.half_width
    for inside, ink in ((0.8, FACE_LINE), (1.2, shade(3, 5))):
        assert colour_at(0, -0.34 + inside * half) == alike(ink)
        assert colour_at(0, -0.34 - inside * half) == alike(ink)
        assert colour_at(0.46 + inside * half, -0.34) == alike(ink)


def test_a_rim_fades_out_where_there_is_no_multisampling(drawn):
    colour_at = drawn(5, 5, Look.PRESSED)
    across_the_rim = [red for red, *_ in (colour_at(0.6, up / 50) for up in range(50))]
    between = [
        each for each in across_the_rim if Look.PRESSED.face[0] + 0.1 < each < shade(5, 5)[0] - 0.1
    ]
    assert between
