"""The profile counts CPU time where it was used."""

import subprocess
import sys
from pathlib import Path

from stack.system import ROOT
from tests.patience import PATIENCE_S
from trials.bench.profile.kinds import API, REST, WORKER, shares
from trials.bench.profile.sampled import read

LIBRARIES = "/anywhere/.venv/lib/python3.11/site-packages"
BUSY = """
import os, signal, time
from busy import work

os.kill(os.getpid(), signal.SIGUSR1)
end = time.process_time() + 0.3
while time.process_time() < end:
    work()
time.sleep(0.3)
os.kill(os.getpid(), signal.SIGUSR1)
"""
WORK = """
def work():
    for n in range(100_000):
        n * n
"""


def test_a_sample_counts_for_the_innermost_function_that_has_a_kind() -> None:
    json, codec = "/usr/lib/python3.11/json/encoder.py", f"{ROOT}/config/codec.py"
    activity = f"{LIBRARIES}/temporalio/worker/_activity.py"
    found = shares([((json, codec, activity), 3), ((activity,), 1)], WORKER)
    assert found == {WORKER["config/"]: 0.75, WORKER["temporalio/worker/_activity.py"]: 0.25}


def test_what_has_no_kind_is_the_rest() -> None:
    assert shares([(("/usr/lib/python3.11/asyncio/runners.py", "<string>"), 1)], API) == {REST: 1.0}


def test_no_sample_has_no_shares() -> None:
    assert shares([], WORKER) == {}


def test_a_process_that_works_is_sampled_and_one_that_sleeps_is_not(tmp_path: Path) -> None:
    script, found = tmp_path / "script.py", tmp_path / "found"
    script.write_text(BUSY)
    (tmp_path / "busy.py").write_text(WORK)
    command = [sys.executable, "-m", "trials.bench.profile.sampled", str(found), str(script)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=PATIENCE_S)
    stacks = read(found)
    assert stacks
    inside = sum(times for stack, times in stacks if Path(stack[0]).name in {"busy.py", "script.py"})
    assert inside >= 0.8 * sum(times for _, times in stacks)
