"""What holds for every test."""

from hypothesis import settings

# A test fails for what it finds, never for the time it took: machines differ.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_addoption(parser):
    parser.addoption(
        "--in-full", action="store_true", help="try each fault as often as `make test-faults` does"
    )
