"""QMP against one who plays QEMU at the other end of a socket."""

import json
import socket
from threading import Thread

import pytest
from qmp import Qmp, QmpError

GREETING = {"QMP": {"version": {}, "capabilities": []}}


class FakeQemu:
    """Greets, then gives the lines that are told for each command in turn; then hangs up."""

    def __init__(self, *answers, greeting=GREETING):
        self.asked = []
        ours, self.theirs = socket.socketpair()
        self._thread = Thread(
            target=self._serve, args=(ours, greeting, [[{"return": {}}], *answers])
        )
        self._thread.start()

    def _serve(self, connection, greeting, answers):
        with connection, connection.makefile("rwb") as lines:
            self._say(lines, greeting)
            for answer in answers:
                line = lines.readline()
                if not line:
                    return
                self.asked.append(json.loads(line))
                for each in answer:
                    self._say(lines, each)

    def _say(self, lines, what):
        lines.write(json.dumps(what).encode() + b"\n")
        lines.flush()

    def end(self):
        self._thread.join()


def test_a_conversation_begins_by_saying_that_nothing_more_is_asked_of_qemu():
    qemu = FakeQemu()

    Qmp(qemu.theirs).close()
    qemu.end()

    assert qemu.asked == [{"execute": "qmp_capabilities", "arguments": {}}]


def test_a_command_is_told_with_its_arguments_and_what_it_returns_is_given():
    qemu = FakeQemu([{"return": [1, 2]}])
    qmp = Qmp(qemu.theirs)

    assert qmp.do("set_link", name="network", up=False) == [1, 2]
    qmp.close()
    qemu.end()
    assert qemu.asked[-1] == {
        "execute": "set_link",
        "arguments": {"name": "network", "up": False},
    }


def test_events_before_an_answer_are_passed_over():
    qemu = FakeQemu([{"event": "RESET"}, {"event": "RTC_CHANGE"}, {"return": {}}])
    qmp = Qmp(qemu.theirs)

    assert qmp.do("query-status") == {}
    qmp.close()
    qemu.end()


def test_a_refused_command_is_an_error_in_qemus_words():
    qemu = FakeQemu([{"error": {"class": "GenericError", "desc": "no such device"}}])
    qmp = Qmp(qemu.theirs)

    with pytest.raises(QmpError, match=r"set_link: no such device"):
        qmp.do("set_link", name="nothing", up=True)
    qmp.close()
    qemu.end()


def test_a_machine_that_goes_off_in_between_is_an_error():
    qemu = FakeQemu()
    qmp = Qmp(qemu.theirs)
    qemu.end()

    with pytest.raises(QmpError, match="has ended"):
        qmp.do("query-status")
    qmp.close()


def test_what_does_not_greet_as_qemu_is_an_error():
    qemu = FakeQemu(greeting={"hello": 1})

    with pytest.raises(QmpError, match="no QEMU"):
        Qmp(qemu.theirs)
    qemu.theirs.shutdown(socket.SHUT_RDWR)
    qemu.theirs.close()
    qemu.end()
