"""What run_tool() says of a tool that fails."""

import pytest

from paas.build.rootfs import run_tool
from paas.errors import Unavailable

OLD_KEYS = "W: GPG error: http://deb.debian.org/debian trixie InRelease: NO_PUBKEY 78DBA3BC47EF2265"


@pytest.mark.parametrize(
    ("output", "hint"),
    [(OLD_KEYS, "newer debian-archive-keyring"), ("E: Unable to connect", "Check the network")],
)
def test_a_keyring_that_is_too_old_is_named(output: str, hint: str) -> None:
    with pytest.raises(Unavailable, match="no stack") as seen:
        run_tool(["sh", "-c", f"echo '{output}'; exit 100"], "no stack")
    assert hint in seen.value.hint
    assert seen.value.details == (output,)
