"""Front door and worker behind a pooler, through which no notice comes."""

import os
import subprocess
import sys

import pytest

from tests import pooler
from tests.conftest import ROOT, RunningSystem

START_TIMEOUT_S = 90


@pytest.mark.skipif(not pooler.IS_SHARED, reason=pooler.REMEDY)
@pytest.mark.parametrize("program", [("-m", "api"), ("worker.py",)])
def test_without_a_direct_address_they_do_not_start(system: RunningSystem, program: tuple[str, ...]) -> None:
    told = system.reaching_record() | {"TRIPS_DATABASE_DIRECT_URL": ""}
    ended = subprocess.run(
        [sys.executable, *program],
        check=False,
        cwd=ROOT,
        env=os.environ | told | {"TEMPORAL_ADDRESS": system.temporal},
        capture_output=True,
        text=True,
        timeout=START_TIMEOUT_S,
    )
    assert ended.returncode == 1
    assert "TRIPS_DATABASE_DIRECT_URL" in ended.stderr.splitlines()[-1]
