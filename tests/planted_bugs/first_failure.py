"""A plugin of pytest: of generated examples the first that fails is enough.

Looking for a smaller one takes long, and can make thousands of databases. ``--hypothesis-profile`` loads the profile.
"""

from typing import Final

from hypothesis import Phase, settings

PROFILE: Final = "first failure"

settings.register_profile(PROFILE, deadline=None, phases=(Phase.explicit, Phase.generate))
