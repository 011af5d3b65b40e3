"""The rest of a run in a process of its own: ``python elsewhere.py WAY CONFIG DATA RUN``.

WAY: "jax" (TensorFlow cannot even be imported then) or "mirrored" (two logical devices).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


def go_on(config_path: Path, data: Path, folder: Path, way: str) -> None:
    """Take each stage in ``folder`` from its newest checkpoint to its last step and write that."""
    from training.config import load
    from training.corpus import Corpus
    from training.distribution import current, distributed
    from training.runs import Run
    from training.train import stages

    config, corpus = load(config_path), Corpus.load(data)
    with distributed(way):
        assert way == "none" or current().num_replicas_in_sync == 2
        run = Run(folder, config)
        for planned in stages(config, corpus, folder):
            stage: Any = planned.make()
            begun = run.restore(stage)
            assert begun is not None
            assert begun[0] < stage.steps
            for step in range(begun[0], stage.steps):
                stage.train(step)
            run.save(stage, stage.steps, None)


def penalised_step() -> tuple[float, float]:
    """One step on the squared input gradient of ``w * x ** 3``, and where ``w`` must be after it."""
    import keras
    import numpy as np
    from keras import ops

    from training.gradients import GradientStep, Move, input_gradient

    w = keras.Variable(np.float32(0.5))
    x = np.array([0.1, -0.2, 0.3], np.float32)

    def loss(x: Any) -> tuple[Any, dict[str, Any]]:
        slope = input_gradient(lambda inner: ops.sum(w * inner**3), x)
        return ops.sum(slope**2), {}

    GradientStep(Move(loss, [w], keras.optimizers.SGD(1.0)))(ops.convert_to_tensor(x))
    # the gradient by x is 3wx², its square 9w²x⁴, the slope of that by w is 18wx⁴
    return float(np.asarray(w)), float(0.5 - 9.0 * (x**4).sum())


def main(way: str, *paths: str) -> None:
    """Prepare the process for ``way``, then go on."""
    if way == "jax":
        sys.modules["tensorflow"] = None  # type: ignore[assignment]
        got, expected = penalised_step()
        assert abs(got - expected) < 1e-6, (got, expected)
    if way == "mirrored":
        import tensorflow as tf

        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    config, data, run = map(Path, paths)
    go_on(config, data, run, "none" if way == "jax" else way)


if __name__ == "__main__":
    main(*sys.argv[1:])
