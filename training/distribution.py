"""Several devices or machines through ``tf.distribute``: which strategy is in force, and who writes.

Every worker draws the same whole batch from the same seeds and holds the same variables; a replica computes
its share of the batch, gradients are averaged over all replicas, and each worker applies the same step (see
:class:`training.gradients.GradientStep`). So nothing but the gradients travels, and a run ends where a run on
one device ends, up to rounding. Workers on several machines need the run folder on a common file system: the
first one writes it, all of them resume from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import keras

from training.config import InvalidConfig

_STRATEGY: ContextVar[Any] = ContextVar("strategy", default=None)


@contextmanager
def distributed(kind: str) -> Iterator[None]:
    """Run the gradient steps made inside on several devices or machines.

    ``kind``: "mirrored" for every local device, "multiworker" for the workers that the environment variable
    ``TF_CONFIG`` lists, "none" for neither. Enter it before anything else uses TensorFlow. Raises
    :class:`InvalidConfig` on another backend.
    """
    token = _STRATEGY.set(_strategy(kind))
    try:
        yield
    finally:
        _STRATEGY.reset(token)


def current() -> Any:
    """The strategy in force, a ``tf.distribute.Strategy``; None on one device."""
    return _STRATEGY.get()


def is_chief() -> bool:
    """Whether this process is the one that writes the run folder."""
    resolver = None if current() is None else current().cluster_resolver
    if resolver is None or resolver.task_type in (None, "chief"):
        return True
    has_chief = "chief" in resolver.cluster_spec().jobs
    return bool(resolver.task_type == "worker" and resolver.task_id == 0 and not has_chief)


def wait_for_all() -> None:
    """Return once every worker has come this far."""
    strategy = current()
    if strategy is None:
        return
    import tensorflow as tf

    def meet() -> Any:
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tf.ones(()))

    tf.function(lambda: strategy.run(meet))()


def share(array: Any) -> Any:
    """This replica's part of a whole batch: every n-th sample of n replicas; scalars are everyone's.

    Every n-th, so that statistics over groups of samples (:func:`training.studio.spread`) meet the same
    groups as on one device.
    """
    import tensorflow as tf

    if not array.shape.rank:
        return array
    context = tf.distribute.get_replica_context()
    samples, replicas = array.shape[0], context.num_replicas_in_sync
    if samples % replicas:
        raise InvalidConfig(f"a batch of {samples} does not divide among {replicas} replicas")
    part = array[context.replica_id_in_sync_group :: replicas]
    return tf.ensure_shape(part, (samples // replicas, *array.shape[1:]))


def _strategy(kind: str) -> Any:
    if kind == "none":
        return None
    if (backend := keras.backend.backend()) != "tensorflow":
        raise InvalidConfig(f"distribute = {kind!r} needs the tensorflow backend of Keras; got {backend}")
    import tensorflow as tf

    return (
        tf.distribute.MirroredStrategy()
        if kind == "mirrored"
        else tf.distribute.MultiWorkerMirroredStrategy()
    )
