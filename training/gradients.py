"""The gradient step, on TensorFlow or JAX: the only place that knows which backend runs.

A loss is a function of arrays; it draws nothing at random by itself, so that a step is a pure function of
variables and arguments and a resumed run repeats it exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from training.distribution import current, share

Loss = Callable[..., tuple[Any, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """What one optimiser does to some variables: ``loss`` is lowered by changing ``trainable``."""

    loss: Loss
    trainable: Sequence[keras.Variable]
    optimizer: keras.optimizers.Optimizer


class GradientStep:
    """One step of one optimiser, or of several against one another.

    A move's ``loss(*arrays) -> (scalar, dict of scalars[, arrays])``. Every gradient is taken before anything
    moves. The arrays that a loss returns are what the next move's loss is called with instead, so that a
    discriminator judges the very samples its generator was just judged by, made once. ``others``: every other
    variable the losses read (frozen networks, dropout seeds), needed by JAX. Calling the object with arrays
    takes the step and returns the logs of all moves.
    """

    def __init__(self, *moves: Move, others: Sequence[keras.Variable] = ()) -> None:
        self._moves = moves
        for move in moves:
            move.optimizer.build(list(move.trainable))
        variables = {id(v): v for move in moves for v in move.trainable} | {id(v): v for v in others}
        self._variables = list(variables.values())
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

        def slopes(*arrays: Any) -> tuple[list[Any], dict[str, Any]]:
            gradients: list[Any] = []
            logs: dict[str, Any] = {}
            for move in self._moves:
                with tf.GradientTape() as tape:
                    loss, said, *handed = move.loss(*arrays)
                sources = [v.value for v in move.trainable]
                gradients.append(tape.gradient(loss, sources, unconnected_gradients="zero"))
                logs |= said
                arrays = handed[0] if handed else arrays
            return gradients, logs

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
            for move, slope in zip(self._moves, gradients, strict=True):
                move.optimizer.apply(slope, list(move.trainable))
            return logs

        return step  # type: ignore[no-any-return]

    def _jax(self) -> Callable[..., dict[str, Any]]:
        import jax

        place = {id(v): i for i, v in enumerate(self._variables)}
        mine = [[place[id(v)] for v in move.trainable] for move in self._moves]
        slots = [move.optimizer.variables for move in self._moves]

        def put(values: list[Any], indices: list[int], new: list[Any]) -> list[Any]:
            replaced = dict(zip(indices, new, strict=True))
            return [replaced.get(i, value) for i, value in enumerate(values)]

        def slope(move: Move, indices: list[int], values: list[Any], arrays: Any) -> Any:
            def loss(moving: Any) -> Any:
                mapping = list(zip(self._variables, put(values, indices, moving), strict=True))
                with keras.StatelessScope(state_mapping=mapping) as scope:
                    loss, logs, *handed = move.loss(*arrays)
                changed = [scope.get_current_value(v) for v in self._variables]
                kept = [value if new is None else new for new, value in zip(changed, values, strict=True)]
                return loss, (logs, handed[0] if handed else arrays, kept)

            moving = [values[i] for i in indices]
            (_, (logs, arrays, kept)), gradient = jax.value_and_grad(loss, has_aux=True)(moving)
            return gradient, logs, arrays, put(kept, indices, moving)

        @jax.jit
        def pure(values: Any, slot_values: Any, arrays: Any) -> Any:
            gradients: list[Any] = []
            logs: dict[str, Any] = {}
            for move, indices in zip(self._moves, mine, strict=True):
                gradient, said, arrays, values = slope(move, indices, values, arrays)
                gradients.append(gradient)
                logs |= said
            new_slots = []
            for move, indices, gradient, old in zip(self._moves, mine, gradients, slot_values, strict=True):
                moved, new = move.optimizer.stateless_apply(old, gradient, [values[i] for i in indices])
                new_slots.append(new)
                values = put(values, indices, moved)
            return logs, values, new_slots

        def step(*arrays: Any) -> dict[str, Any]:
            values = [v.value for v in self._variables]
            logs, values, slot_values = pure(values, [[v.value for v in slot] for slot in slots], arrays)
            groups = [(self._variables, values), *zip(slots, slot_values, strict=True)]
            for group, group_values in groups:
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
