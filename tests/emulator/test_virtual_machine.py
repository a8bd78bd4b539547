"""What a machine is made of, and how it is waited for; none is switched on here."""

import socket
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import virtual_machine
from virtual_machine import COLLECTOR_ADDRESS, Board, Build, MachineError, connect


def build(board=Board.VIRT, **other):
    made = {
        "disk": Path("card.img"),
        "kernel": Path("vmlinuz"),
        "initrd": Path("initrd.img"),
        "command_line": "root=LABEL=root",
        "memory_mb": 512,
        "screen": (800, 480),
    }
    return Build(board, **made | other)


def command_of(made):
    return made.command(Path("qmp"), Path("serial"), Path("shell"), Path("display"))


def options_of(made):
    return [*pairwise(command_of(made))]


def test_a_machine_reaches_the_collector_on_the_hosts_loopback_and_nothing_else():
    [network] = [value for name, value in options_of(build(collector_port=4433)) if name == "-nic"]

    assert "restrict=on" in network.split(",")
    assert "hostfwd" not in network
    [way] = [each for each in network.split(",") if each.startswith("guestfwd=")]
    assert way.startswith(f"guestfwd=tcp:{COLLECTOR_ADDRESS}:4433-cmd:")
    assert way.endswith(" 4433")


def test_a_machine_without_a_collector_has_no_network():
    assert ("-nic", "none") in options_of(build())


@pytest.mark.parametrize("board", Board)
def test_what_a_machine_has_flushed_outlives_a_power_cut_and_it_does_not_start_again_by_itself(
    board,
):
    made = build(board, device_tree=Path("pi.dtb"))
    [drive] = [value for name, value in options_of(made) if name == "-drive"]

    assert "cache=writethrough" in drive
    assert "-no-reboot" in command_of(made)


@pytest.mark.parametrize("board", Board)
def test_a_machine_s_last_console_is_its_serial_port_whose_words_are_kept(board):
    options = options_of(build(board, device_tree=Path("pi.dtb")))

    [said] = [value for name, value in options if name == "-append"]
    assert said == f"root=LABEL=root console={board.console}"
    assert next(value for name, value in options if name == "-serial") == "file:serial"


def test_a_pi_has_its_device_tree_its_card_a_shell_by_its_other_port_and_a_panel_by_usb():
    options = options_of(build(Board.PI_3, device_tree=Path("pi.dtb")))

    assert ("-dtb", "pi.dtb") in options
    assert [value for name, value in options if name == "-serial"][1:] == ["chardev:shell"]
    assert [value for name, value in options if name == "-device"] == [
        "usb-tablet",
        "usb-redir,chardev=display",
    ]
    assert "-smp" not in [name for name, _ in options]  # it has four processors, and no choice


def test_a_connection_is_carried_to_loopback_both_ways():
    relay = Path(virtual_machine.__file__).with_name("relay.py")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        with subprocess.Popen(
            [sys.executable, relay, port], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            connection, _ = server.accept()
            with connection:
                process.stdin.write(b"hello")
                process.stdin.flush()
                heard = connection.recv(100)
                connection.sendall(b"to you")
            assert (heard, process.stdout.read()) == (b"hello", b"to you")


def test_a_socket_that_never_comes_is_an_error_as_soon_as_it_is_not_worth_waiting_for(tmp_path):
    with pytest.raises(MachineError, match="nothing listens"):
        connect(tmp_path / "qmp.socket", lambda: False)
