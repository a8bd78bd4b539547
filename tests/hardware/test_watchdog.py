import socket

import pytest

from hardware.watchdog import Watchdog, WatchdogError


@pytest.fixture
def systemd():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.settimeout(5)
        yield listener


@pytest.fixture(params=["file", "abstract"])
def address(request, systemd, tmp_path):
    if request.param == "file":
        path = str(tmp_path / "notify")
        systemd.bind(path)
        return path
    systemd.bind(f"\0regard-test-{tmp_path}")
    return f"@regard-test-{tmp_path}"


def test_systemd_is_told_of_each_state(systemd, address):
    watchdog = Watchdog.from_environment({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "20000000"})
    watchdog.ready()
    watchdog.alive()
    watchdog.stopping()
    assert [systemd.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"STOPPING=1"]
    assert watchdog.interval_s == 10


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"WATCHDOG_USEC": "5000000"}])
def test_without_systemd_nothing_is_told(environment):
    watchdog = Watchdog.from_environment(environment)
    watchdog.ready()
    watchdog.alive()
    assert watchdog.interval_s is None


def test_a_service_without_a_watchdog_need_not_say_that_it_is_alive(address):
    assert Watchdog.from_environment({"NOTIFY_SOCKET": address}).interval_s is None


@pytest.mark.parametrize(
    "environment",
    [
        {"NOTIFY_SOCKET": "notify"},
        {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "soon"},
        {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "0"},
        {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "²"},
    ],
)
def test_variables_that_systemd_never_sets_are_refused(environment):
    with pytest.raises(WatchdogError):
        Watchdog.from_environment(environment)


def test_a_socket_that_is_gone_is_an_error(tmp_path):
    watchdog = Watchdog(str(tmp_path / "gone"), None)
    with pytest.raises(FileNotFoundError):
        watchdog.ready()
