"""The gradient step, on TensorFlow or JAX: the only place that knows which backend runs.

A loss is a function of arrays that returns ``(loss, logs)``; it draws nothing at random by itself, so that
a step is a pure function of variables and arguments and a resumed run repeats it exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras

from training.distribution import current, share

Loss = Callable[..., tuple[Any, dict[str, Any]]]


class GradientStep:
    """One optimiser step on a loss.

    ``loss(*arrays) -> (scalar, dict of scalars)``; ``trainable``: the Keras variables it moves; ``others``:
    every other variable the loss reads (frozen networks, dropout seeds), needed by JAX. Calling the object
    with arrays takes the step and returns the logs.
    """

    def __init__(
        self,
        loss: Loss,
        trainable: Sequence[keras.Variable],
        optimizer: keras.optimizers.Optimizer,
        others: Sequence[keras.Variable] = (),
    ) -> None:
        self._loss, self._trainable, self._optimizer = loss, list(trainable), optimizer
        optimizer.build(self._trainable)
        known = {id(v) for v in self._trainable}
        self._others = [v for v in others if id(v) not in known]
        backend = keras.backend.backend()
        if backend == "tensorflow":
            self._step = self._tensorflow()
        elif backend == "jax":
            self._step = self._jax()
        else:
            raise RuntimeError(f"training needs the tensorflow or jax backend of Keras; got {backend}")

    def __call__(self, *arrays: Any) -> dict[str, Any]:
        """Take one step."""
        return self._step(*arrays)

    def _tensorflow(self) -> Callable[..., dict[str, Any]]:
        import tensorflow as tf

        strategy = current()

        def slopes(*arrays: Any) -> tuple[Any, dict[str, Any]]:
            with tf.GradientTape() as tape:
                loss, logs = self._loss(*arrays)
            sources = [v.value for v in self._trainable]
            return tape.gradient(loss, sources, unconnected_gradients="zero"), logs

        def averaged(*arrays: Any) -> Any:
            """In each replica: its share of the batch, then the mean over all of them."""
            context = tf.distribute.get_replica_context()
            return context.all_reduce(tf.distribute.ReduceOp.MEAN, slopes(*map(share, arrays)))

        # no loss branches on a tensor's value; converting them would take a third of the time to start
        @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]  # untyped
        def step(*arrays: Any) -> dict[str, Any]:
            if strategy is None:
                gradients, logs = slopes(*arrays)
            else:
                same = strategy.run(averaged, args=arrays)
                gradients, logs = tf.nest.map_structure(
                    lambda value: strategy.experimental_local_results(value)[0], same
                )
            self._optimizer.apply(gradients, self._trainable)
            return logs

        return step  # type: ignore[no-any-return]

    def _jax(self) -> Callable[..., dict[str, Any]]:
        import jax

        slots = self._optimizer.variables

        def loss(moving: Any, still: Any, arrays: Any) -> Any:
            mapping = [*zip(self._trainable, moving, strict=True), *zip(self._others, still, strict=True)]
            with keras.StatelessScope(state_mapping=mapping) as scope:
                value, logs = self._loss(*arrays)
            changed = [scope.get_current_value(v) for v in self._others]
            kept = [s if c is None else c for c, s in zip(changed, still, strict=True)]
            return value, (logs, kept)

        @jax.jit
        def pure(moving: Any, still: Any, slot_values: Any, arrays: Any) -> Any:
            (_, (logs, kept)), gradients = jax.value_and_grad(loss, has_aux=True)(moving, still, arrays)
            moving, slot_values = self._optimizer.stateless_apply(slot_values, gradients, moving)
            return logs, moving, kept, slot_values

        def step(*arrays: Any) -> dict[str, Any]:
            groups = (self._trainable, self._others, slots)
            logs, *values = pure(*[[v.value for v in group] for group in groups], arrays)
            for group, group_values in zip(groups, values, strict=True):
                for variable, value in zip(group, group_values, strict=True):
                    variable.assign(value)
            return logs  # type: ignore[no-any-return]

        return step


def input_gradient(function: Callable[[Any], Any], x: Any) -> Any:
    """Gradient of the scalar ``function(x)`` with respect to ``x``; differentiable again."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.grad(function)(x)
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(x)
        value = function(x)
    return tape.gradient(value, x)
