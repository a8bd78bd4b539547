"""The trial's shell against one who plays the machine at the other end of a socket."""

import socket
from base64 import b64decode
from threading import Thread

import pytest
from trial_shell import TrialShell, bring, command_line
from virtual_machine import Board, MachineError

GREETING = b"\x1e"
LONGEST_COMMAND_LINE = 2048  # the kernel's, on both architectures


@pytest.fixture
def at_the_other_end():
    """Plays a machine that greets, and answers each line that comes with the next that is told."""
    started = []

    def start(*answers):
        ours, theirs = socket.socketpair()
        asked = []

        def serve():
            with ours, ours.makefile("rb") as lines:
                ours.sendall(GREETING)
                for answer in answers:
                    asked.append(lines.readline())
                    for piece in answer:
                        ours.sendall(piece)

        thread = Thread(target=serve)
        thread.start()
        started.append((thread, theirs))
        return theirs, asked

    yield start
    for thread, theirs in started:
        theirs.close()
        thread.join()


def test_a_command_is_one_line_and_what_it_prints_is_given(at_the_other_end):
    connection, asked = at_the_other_end([b"Linux\n\x1e0\x1e"])

    assert TrialShell(connection, 5).run("uname") == "Linux\n"
    assert asked == [b"uname\n"]


def test_what_is_printed_may_come_in_pieces(at_the_other_end):
    connection, _ = at_the_other_end([b"Lin", b"ux\n\x1e", b"0\x1e"])

    assert TrialShell(connection, 5).run("uname") == "Linux\n"


def test_a_command_that_fails_is_an_error_with_what_it_printed(at_the_other_end):
    connection, _ = at_the_other_end([b"no such unit\n\x1e4\x1e"], [b"inactive\n\x1e3\x1e"])
    shell = TrialShell(connection, 5)

    with pytest.raises(MachineError, match=r"(?s)ended with 4.*no such unit"):
        shell.run("systemctl start nothing")
    assert shell.run("systemctl is-active nothing", check=False) == "inactive\n"


def test_a_machine_that_goes_off_meanwhile_is_an_error(at_the_other_end):
    connection, _ = at_the_other_end([b"half of"])

    with pytest.raises(MachineError, match=r"(?s)gone off.*half of"):
        TrialShell(connection, 5).run("uname")


def test_what_is_brought_along_is_one_word_and_goes_in_unharmed():
    word = bring("name", "[Unit]\nDescription=a b\n")

    assert " " not in word
    name, _, content = word.removeprefix("systemd.set_credential_binary=").partition(":")
    assert (name, b64decode(content)) == ("name", b"[Unit]\nDescription=a b\n")


@pytest.mark.parametrize("board", Board)
def test_a_kernel_takes_a_command_line_with_the_shell_and_has_room_for_more(board):
    said = command_line(board)

    assert len(said) < LONGEST_COMMAND_LINE // 2
    unit = b64decode(said.partition("service:")[2].partition(" ")[0]).decode()
    assert f"exec <>{board.shell_port} " in unit
