"""Which of the screens that are expected a picture shows."""

from expected import Expected, difference, recognise
from PIL import Image

SIZE = (100, 100)


def picture(colour="white", black_rows=0, black="black"):
    image = Image.new("RGB", SIZE, colour)
    image.paste(black, (0, 0, SIZE[0], black_rows))
    return image


def test_a_difference_is_the_share_of_pixels_that_can_be_seen_to_differ():
    assert difference(picture(), picture()) == 0
    assert difference(picture(), picture(black_rows=25)) == 0.25
    assert difference(picture(), picture("#fafafa")) == 0
    assert difference(picture(), picture("#ffff00")) == 1  # in one channel only


def test_pictures_of_other_sizes_have_nothing_in_common():
    assert difference(picture(), picture().resize((50, 50))) == 1


def test_a_screen_is_known_by_its_picture_though_its_edges_are_smoothed_otherwise():
    screens = [
        Expected("attract", 1, picture(black_rows=50), {}),
        Expected("thanks", None, picture(black_rows=90), {}),
    ]

    assert recognise(picture(black_rows=90), screens) is screens[1]
    assert recognise(picture(black_rows=49), screens) is screens[0]


def test_what_is_none_of_the_screens_is_not_taken_for_the_likeliest():
    screens = [Expected("attract", 1, picture(black_rows=50), {})]

    assert recognise(picture(black_rows=47), screens) is None
    assert recognise(picture("black"), screens) is None
