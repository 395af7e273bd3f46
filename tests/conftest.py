"""Settings of the whole test suite."""

from hypothesis import settings

# The time of one example says nothing on a busy machine; how long tests may take is for the runner to say.
settings.register_profile("evalsuite", deadline=None)
settings.load_profile("evalsuite")
