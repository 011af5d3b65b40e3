"""Work in this process, in several, or on a Dask cluster: one function over many items, through joblib."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from pianogan_bgm.errors import PlaylistError

_INTERRUPT: Final = signal.getsignal(signal.SIGINT)
"""What a process does at Ctrl-C when it begins."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Workers(Protocol):
    """Calls a function for each item. ``in_order``: results as the items come, else as they are done."""

    width: int

    def __call__(
        self, work: Callable[[_Item], _Result], items: Iterable[_Item], *, in_order: bool = False
    ) -> Iterator[_Result]:
        """The results, while the rest is being worked on."""


class _Here:
    width = 1

    def __call__(
        self, work: Callable[[_Item], _Result], items: Iterable[_Item], *, in_order: bool = False
    ) -> Iterator[_Result]:
        return map(work, items)


class _Joblib:
    """Items one by one, for a track takes longer than handing it over."""

    def __init__(self, jobs: int, width: int) -> None:
        self._jobs = jobs
        self.width = width

    def __call__(
        self, work: Callable[[_Item], _Result], items: Iterable[_Item], *, in_order: bool = False
    ) -> Iterator[_Result]:
        from joblib import Parallel, delayed

        order = "generator" if in_order else "generator_unordered"
        parallel = Parallel(n_jobs=self._jobs, batch_size=1, return_as=order)
        interruptible = delayed(partial(_interruptible, os.getpid(), work))
        results: Iterator[_Result] = parallel(interruptible(item) for item in items)
        return _of_living_workers(results)


def _of_living_workers(results: Iterator[_Result]) -> Iterator[_Result]:
    try:
        yield from results
    except BrokenExecutor as error:
        raise PlaylistError(
            "a worker process ended before its work was done; out of memory? Fewer --jobs need less"
        ) from error


def _interruptible(parent: int, work: Callable[[_Item], _Result], item: _Item) -> _Result:
    """``work(item)``; another process than ``parent`` is interrupted in it and nowhere else.

    A terminal sends Ctrl-C to the workers, too. Work that is interrupted leaves nothing half-written; between
    two items a worker would only print where it happened to be.
    """
    if os.getpid() == parent or threading.current_thread() is not threading.main_thread():
        return work(item)
    signal.signal(signal.SIGINT, _INTERRUPT)
    try:
        return work(item)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextlib.contextmanager
def workers(jobs: int = 1, cluster: str | None = None) -> Iterator[Workers]:
    """``jobs`` processes (−1: one for each core), or the Dask cluster whose scheduler is at ``cluster``.

    Raises :class:`PlaylistError` where the cluster cannot be reached or its extra is not installed.
    """
    if cluster is not None:
        with _client(cluster) as client:
            from joblib import parallel_config

            cores = sum(client.nthreads().values())
            with parallel_config(backend="dask", wait_for_workers_timeout=60):
                yield _Joblib(-1, max(1, cores))
    elif jobs == 1:
        yield _Here()
    else:
        from joblib import effective_n_jobs

        yield _Joblib(jobs, effective_n_jobs(jobs))


@contextlib.contextmanager
def _client(address: str) -> Iterator[Any]:
    try:
        from distributed import Client
    except ImportError as error:
        raise PlaylistError(
            f"a cluster needs dask.distributed, which cannot be imported ({error}); "
            'pip install "dask[distributed]"'
        ) from error
    try:
        client: Any = Client(address, timeout=20)  # type: ignore[no-untyped-call]  # distributed has few types
    except (OSError, ValueError) as error:
        raise PlaylistError(f"no Dask scheduler answers at {address}: {error}") from error
    with client:
        if not client.nthreads():
            raise PlaylistError(f"the Dask cluster at {address} has no workers")
        yield client
