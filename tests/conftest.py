"""What every test shares: the same examples on every run, so that a failure seen once is seen again."""

from hypothesis import settings

settings.register_profile("outlay", derandomize=True, deadline=None)
settings.load_profile("outlay")
