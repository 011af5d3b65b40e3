"""Two workers of a Dask cluster on this machine, one of which is killed."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from tiny_model import write_tiny

from pianogan_bgm import cli
from pianogan_bgm.errors import PlaylistError
from pianogan_bgm.manifest import Settings
from pianogan_bgm.playlist import folder as folder_module
from pianogan_bgm.playlist.folder import Wish, make, verify

distributed = pytest.importorskip("distributed", reason="dask.distributed is in the cluster extra")


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_killed_worker_loses_and_doubles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = str(write_tiny(tmp_path))
    settings = Settings(formats=("mid", "ogg"), instrument="chip_square", rate=8000, distance=0.1)
    wish = Wish(model=model, count=12, settings=settings)
    written: Counter[str] = Counter()
    some, real = threading.Event(), folder_module._write

    def write(folder: Path, baked: folder_module.Baked) -> None:
        real(folder, baked)
        written[baked.track.name] += 1
        if sum(written.values()) == 2:
            some.set()

    monkeypatch.setattr(folder_module, "_write", write)
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "silence_logs": 50}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        victim = min(client.run(os.getpid).values())

        def kill() -> None:
            if some.wait(120):
                os.kill(victim, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        manifest = make(tmp_path / "cluster", wish, cluster=cluster.scheduler_address)
        killer.join()
        assert some.is_set()
    assert set(written.values()) == {1}
    assert sorted(written) == sorted(track.name for track in manifest.tracks)
    assert verify(tmp_path / "cluster") == []
    make(tmp_path / "here", wish)
    names = sorted(path.name for path in (tmp_path / "here").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "cluster").iterdir())
    assert all((tmp_path / "here" / n).read_bytes() == (tmp_path / "cluster" / n).read_bytes() for n in names)


def test_a_cluster_that_is_not_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = write_tiny(tmp_path)
    options = ["playlist", "--model", str(model), "--seeds", "1", "-o", str(tmp_path / "out")]
    assert cli.main([*options, "--dask", "nonsense://here"]) == 1
    assert "no Dask scheduler answers at nonsense://here" in capsys.readouterr().err


def test_without_the_extra_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    wish = Wish(model=str(write_tiny(tmp_path)), seeds=(1,))
    with pytest.raises(PlaylistError, match=r'pip install "dask\[distributed\]"'):
        make(tmp_path / "out", wish, cluster="tcp://127.0.0.1:1")
