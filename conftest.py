"""How long Hypothesis looks for trouble: briefly in `./dev test`, long in `./dev soak`."""

from hypothesis import settings

# No deadline for one example: it would only measure how busy the machine is.
settings.register_profile("default", deadline=None)
settings.register_profile("soak", deadline=None, max_examples=5_000, stateful_step_count=200, print_blob=True)
