from __future__ import annotations

import subprocess
import sys

from prismata.domains import EventType, create_domain


def test_the_contract_fails_for_exactly_what_a_plugin_breaks(tmp_path):
    declared, *_ = create_domain(tmp_path, "tennis", [EventType("serve", hotkey="s")])
    declared.write_text(declared.read_text().replace('hotkey="s"', 'hotkey="k"'))
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert "1 failed" in done.stdout, done.stdout + done.stderr
    assert "hotkey 'k' of 'serve' belongs to the player" in done.stdout
