"""The data synchronisation example: a batch and webhooks under the limit of an API that counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.data_sync import demo


def test_the_api_refuses_no_call_although_a_worker_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "FOLDER", tmp_path)
    assert demo.main() == 0
