"""What holds for every test."""

from hypothesis import settings

# A test fails for what it finds, never for the time it took: machines differ.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
