"""The running daemons of tests.doors.running, as fixtures of this folder."""

from tests.doors.running import make_own, make_shared

__all__ = ["make_own", "make_shared"]
