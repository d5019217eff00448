"""What the engine says when it refuses, and the remedy that goes with it."""

import pytest

from paas.errors import ImageMissing, StartFailed
from paas.schedulers.refusals import start_failed
from tests.schedulers.specs import make_spec

UNMAPPED = (
    "OCI runtime create failed: runc create failed: unable to start container process: error during"
    ' container init: error mounting "tmpfs" to rootfs at "/run": mount src=tmpfs, dst=/run,'
    " data=mode=0755,size=8388608,mode=1777,uid=200001,gid=200001: invalid argument"
)


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        (UNMAPPED, "userns-remap is too narrow"),
        ("No such image: sha256:0", "Run: ps:rebuild shop"),
        ("something new", "Run: paas doctor"),
    ],
)
def test_a_refusal_comes_with_its_remedy(said: str, hint: str) -> None:
    error = start_failed(make_spec(), said)
    assert isinstance(error, ImageMissing if "image" in said else StartFailed)
    assert said in error.message
    assert hint in error.hint
