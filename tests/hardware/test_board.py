"""One suite for every ground: mock pins and made-up files, the fake as it is shipped, and a Pi."""

import os
from pathlib import Path

import pytest
from boards import WIRING, FakeBench, MockBench, PiBench

from hardware.buttons import BOUNCE_S, STUCK_S
from hardware.ground import pi_ground
from hardware.wiring import Wiring

BACKLIGHT = "sys/class/backlight/10-0045/"


@pytest.fixture(params=[MockBench, FakeBench, pytest.param(PiBench, marks=pytest.mark.pi)])
def bench(request, tmp_path):
    bench = request.param(tmp_path)
    with bench.closing:
        yield bench


def test_all_is_well_with_a_board_that_is_well(bench):
    assert bench.begin() == ()


def test_a_press_is_told_by_its_place(bench):
    bench.begin()
    for place in (2, 3, 1):
        bench.press(place)
    assert bench.until(lambda: bench.pressed == [2, 3, 1])


def test_a_contact_that_bounces_is_one_press(bench):
    bench.begin()
    for _ in range(5):
        bench.down(1)
        bench.now += BOUNCE_S / 10
        bench.up(1)
        bench.now += BOUNCE_S / 10
    bench.now += 1
    bench.press(2)
    assert bench.until(lambda: bench.pressed == [1, 2])


def test_a_contact_that_bounces_as_it_opens_is_no_second_press(bench):
    bench.begin()
    bench.down(1)
    bench.now += 2
    for _ in range(5):
        bench.up(1)
        bench.now += BOUNCE_S / 10
        bench.down(1)
        bench.now += BOUNCE_S / 10
    bench.up(1)
    bench.now += 1
    bench.press(2)
    assert bench.until(lambda: bench.pressed == [1, 2])


def test_lamps_are_lit_where_a_button_would_answer(bench):
    bench.begin()
    for choices, lit in ((2, "110"), (5, "111"), (0, "000")):
        bench.board.offer(choices)
        assert bench.lamps(lit)


def test_a_stuck_button_is_told_and_dark_until_it_is_free(bench):
    bench.begin()
    bench.board.offer(3)
    bench.down(2)
    bench.now += STUCK_S - 1
    assert bench.board.look() == ()
    bench.now += 1
    assert bench.board.look() == ("button-2-stuck",)
    assert bench.lamps("101")
    bench.press(3)
    bench.up(2)
    bench.now += 1
    assert bench.board.look() == ()
    assert bench.lamps("111")
    bench.press(2)
    assert bench.until(lambda: bench.pressed == [2, 3, 2])


def test_whoever_comes_is_counted_once(bench):
    bench.begin()
    for away_s in (2, 9, 11, 60):
        bench.presence(True)
        bench.now += 5
        bench.presence(False)
        bench.now += away_s
    assert bench.until(lambda: bench.came == 2)


def test_it_is_known_how_long_nobody_was_there(bench):
    bench.begin()
    bench.presence(True)
    bench.now += 30
    assert bench.board.alone_s == 0
    bench.presence(False)
    bench.now += 30
    assert bench.until(lambda: bench.board.alone_s == 30)


def test_a_sensor_that_sees_someone_for_a_day_is_stuck_and_sees_nothing(bench):
    bench.begin()
    bench.presence(True)
    bench.now += 24 * 3600
    assert bench.board.look() == ("presence-stuck",)
    assert bench.board.alone_s is None


def test_without_a_sensor_nobody_knows_who_is_there(bench):
    bench.begin(Wiring())
    assert bench.board.alone_s is None


def test_a_case_that_was_opened_is_told_after_it_was_shut(bench):
    bench.begin()
    bench.case(True)
    assert bench.board.look() == ("case-open",)
    bench.case(False)
    assert bench.until(lambda: bench.board.look() == ("case-was-open",))


def test_the_screen_shines_as_told_but_is_never_dark(bench):
    bench.begin()
    seen = []
    for percent in (40, 0, 100):
        bench.board.shine(percent)
        seen.append(bench.brightness)
    assert seen == [102, 1, 255]


def test_a_board_leaves_the_screen_bright_and_the_lamps_dark(bench):
    bench.begin()
    bench.board.offer(3)
    bench.board.shine(10)
    assert bench.lamps("111")
    bench.board.close()
    bench.board.close()
    assert bench.brightness == 255
    assert bench.lamps("000")


def test_parts_that_are_not_named_are_not_missed(bench):
    assert bench.begin(Wiring()) == ()
    bench.board.offer(3)
    bench.board.shine(40)
    assert bench.board.look() == ()


@pytest.mark.parametrize("name", [BACKLIGHT + "max_brightness", "sys/class/rtc/rtc0/since_epoch"])
def test_a_part_that_is_missing_is_told_the_others_go_on_and_it_is_used_once_it_is_there(
    bench, name
):
    part = "backlight" if "backlight" in name else "clock"
    assert bench.begin(without=name) == (f"{part}-failed",)
    bench.press(1)
    assert bench.until(lambda: bench.pressed == [1])
    bench.come_back()
    assert bench.board.look() == ()


def test_a_part_that_goes_away_is_told_and_shines_as_told_meanwhile_when_it_is_back(bench):
    bench.begin()
    come_back = bench.lose(BACKLIGHT + "brightness")
    bench.board.shine(40)
    assert bench.board.look() == ("backlight-failed",)
    bench.press(1)
    assert bench.until(lambda: bench.pressed == [1])
    come_back()
    assert bench.board.look() == ()
    assert bench.brightness == 102


@pytest.mark.parametrize(
    ("name", "content", "trouble"),
    [
        ("sys/class/thermal/thermal_zone0/temp", "81000", "temperature-high"),
        ("sys/class/hwmon/hwmon0/in0_lcrit_alarm", "1", "power-low"),
        ("sys/devices/platform/soc/soc:firmware/get_throttled", "10000", "power-low"),
        ("sys/devices/platform/soc/soc:firmware/get_throttled", "40000", "processor-slowed"),
        ("sys/block/mmcblk0/device/life_time", "0x03 0x0a", "card-worn"),
        ("sys/block/mmcblk0/device/pre_eol_info", "0x02", "card-worn"),
        ("proc/meminfo", "MemAvailable: 20000 kB", "memory-low"),
        ("sys/class/thermal/thermal_zone0/temp", "hot", "temperature-failed"),
        ("proc/meminfo", "MemAvailable:", "memory-failed"),
        (BACKLIGHT + "brightness", "", "backlight-failed"),
    ],
)
def test_what_is_wrong_with_the_machine_is_told(bench, name, content, trouble):
    bench.begin()
    well = (bench.root / name).read_text()
    (bench.root / name).write_text(content)
    assert bench.board.look() == (trouble,)
    (bench.root / name).write_text(well)
    assert bench.board.look() == ()


def test_a_disk_without_room_is_told(bench):
    bench.data = Path("/proc")  # which has none
    assert bench.begin() == ("space-low",)


def test_what_a_board_does_not_have_it_does_not_miss(bench):
    bench.begin()
    for name in ("thermal", "hwmon"):
        bench.lose(f"sys/class/{name}")
    bench.lose("sys/devices/platform/soc/soc:firmware/get_throttled")
    bench.lose("sys/block/mmcblk0")
    assert bench.board.look() == ()


def test_a_pin_that_another_part_has_is_told_and_the_first_keeps_it(bench):
    wiring = Wiring(buttons=(5, 6, 13), lamps=(12, 16, 6))
    assert bench.begin(wiring) == ("lamp-3-failed",)
    bench.press(2)
    assert bench.until(lambda: bench.pressed == [2])


@pytest.fixture
def mock_bench(tmp_path):
    bench = MockBench(tmp_path)
    with bench.closing:
        yield bench


@pytest.mark.parametrize(
    "instead",
    [
        lambda path: path.mkdir(),
        lambda path: path.symlink_to(path),
        lambda path: path.symlink_to("/proc/self/mem"),  # an I/O error, as from a bus that fails
        lambda path: path.symlink_to("/proc/self/clear_refs"),  # which can be written only
    ],
)
@pytest.mark.parametrize(
    ("name", "trouble"),
    [
        (BACKLIGHT + "brightness", "backlight-failed"),
        ("sys/class/rtc/rtc0/since_epoch", "clock-failed"),
        ("sys/class/thermal/thermal_zone0/temp", "temperature-failed"),
        ("sys/class/hwmon/hwmon0/in0_lcrit_alarm", "power-failed"),
        ("sys/devices/platform/soc/soc:firmware/get_throttled", "processor-failed"),
        ("sys/block/mmcblk0/device/life_time", "card-failed"),
        ("proc/meminfo", "memory-failed"),
    ],
)
def test_a_file_that_fails_is_told(mock_bench, name, trouble, instead):
    mock_bench.begin()
    path = mock_bench.root / name
    path.unlink()
    instead(path)
    assert trouble in mock_bench.board.look()
    mock_bench.press(1)
    assert mock_bench.pressed == [1]


def test_a_backlight_that_may_not_be_written_is_told_once_it_must_be(mock_bench, caplog):
    mock_bench.begin()
    brightness = mock_bench.root / BACKLIGHT / "brightness"
    brightness.unlink()
    brightness.symlink_to("/proc/sys/kernel/random/entropy_avail")  # a number, and no more
    mock_bench.board.look()
    for _ in range(3):
        mock_bench.board.shine(7)
        assert mock_bench.board.look() == ("backlight-failed",)
    assert [record.part for record in caplog.records] == ["backlight"], "said more than once"


class BrokenPins:
    """Pins of a chip that is not there, or not for us."""

    def __init__(self, error):
        self.error = error
        self.asked = 0

    def __call__(self):
        self.asked += 1
        raise self.error


@pytest.mark.parametrize(
    "error", [FileNotFoundError("/dev/gpiochip0"), PermissionError("/dev/gpiochip0"), KeyError(7)]
)
def test_without_pins_every_part_on_a_pin_is_told_and_the_others_go_on(mock_bench, error):
    chip = BrokenPins(error)
    ground = mock_bench.ground(WIRING)
    mock_bench.ground = lambda wiring: type(ground)(ground.root, chip)
    assert mock_bench.begin() == (
        *(f"button-{place}-failed" for place in (1, 2, 3)),
        "case-failed",
        *(f"lamp-{place}-failed" for place in (1, 2, 3)),
        "presence-failed",
    )
    mock_bench.board.shine(40)
    assert mock_bench.brightness == 102


def test_a_pin_that_fails_later_is_told(mock_bench):
    mock_bench.begin()
    mock_bench.board.offer(3)
    lamp = mock_bench.pins.pin(WIRING.lamps[1])
    lamp._set_state = lamp._get_state = lambda *_: 1 / 0
    mock_bench.board.offer(1)
    assert "lamp-2-failed" in mock_bench.board.look()
    mock_bench.press(2)
    assert mock_bench.pressed == [2]


def test_off_a_pi_the_pins_fail_and_the_folder_that_one_works_in_stays(tmp_path):
    here = os.getcwd()
    ground = pi_ground(tmp_path)
    assert os.getcwd() == here
    with pytest.raises((ImportError, RuntimeError)):
        ground.open_pins()
