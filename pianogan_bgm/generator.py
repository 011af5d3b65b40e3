"""The generator: a seed or a latent becomes a piece. The only module that imports onnxruntime.

The network computes in double precision and decides inside the graph which cells are silent, held or struck,
so its output is one of the codec's own values, at least 0.001 from every threshold. Different processors
round differently (about 1e-13 there); only a cell that close to undecided could come out differently.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pianogan_bgm.cards import LATENT_SIZE, ModelCard
from pianogan_bgm.errors import InvalidLatent, ModelDamaged, ModelError
from pianogan_bgm.latents import Latents, check_latent, check_latents, check_seed, fresh_seed, latent_of
from pianogan_bgm.memory import give_back
from pianogan_bgm.models import find_model
from pianogan_bgm.piece import Piece
from pianogan_bgm.roll import ROLL, decode

INPUT: Final = "latent"
OUTPUT: Final = "roll"
FLOAT: Final = "tensor(float)"
BATCH: Final = 8
"""Pieces computed at once: more would cost memory and, on one core, win no time."""
ELSEWHERE: Final = b"location"
"""The key under which an ONNX file names another file that holds a tensor; no name in a network needs it."""


class Generator:
    """A trained network, ready to compose.

    ``model``: the name of an installed model (``"open"`` is in this package) or the path of an ``.onnx`` file
    with its card beside it. Loading takes some 50 ms. One thread, no other core is used; calls from several
    threads at once are safe. ``keep``: hold the network open; else it is opened for each call and closed
    after it, which saves 20 MB between calls and costs each some 20 ms. Raises :class:`ModelNotFound`,
    :class:`ModelDamaged` (of the network as such when it is opened), or :class:`ModelError` without
    onnxruntime.
    """

    def __init__(self, model: str | os.PathLike[str] = "open", *, keep: bool = True) -> None:
        found = find_model(model)
        self.card: ModelCard = found.card
        weights = found.weights()
        self._files = found
        self._session: Any = None
        if keep:
            self._session = open_session(weights, found.where)
        else:  # what is opened later are the same bytes: the card has their hash
            _check_whole(weights, found.where)
            _runtime()

    def __repr__(self) -> str:
        return f"Generator({self.card.name!r})"

    def compose(self, seed: int | None = None, *, latent: npt.ArrayLike | None = None) -> Piece:
        """Compose one piece: of ``seed`` (0 to 2**64 - 1), of ``latent`` (14 numbers), or a fresh one.

        Without either a new seed is drawn, any of 2**32, and kept in ``piece.seed``; what the atlas knows of
        quality is for those who choose pieces (:func:`pianogan_bgm.atlas.fresh_seeds`). Raises
        :class:`InvalidLatent` for a bad seed or latent, or for both at once.
        """
        if latent is not None:
            if seed is not None:
                raise InvalidLatent("give a seed or a latent, not both")
            return self._piece(None, check_latent(latent))
        number = fresh_seed() if seed is None else check_seed(seed)
        return self._piece(number, latent_of(number))

    def compose_many(self, seeds: Iterable[int]) -> tuple[Piece, ...]:
        """The pieces of several seeds, each as :meth:`compose` makes it. All seeds are checked first."""
        return tuple(self.compose(seed) for seed in [check_seed(seed) for seed in seeds])

    def latent(self, seed: int) -> Latents:
        """The latent of ``seed``, float32 ``(14,)`` (:mod:`pianogan_bgm.latents`)."""
        return latent_of(seed)

    def rolls(self, latents: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """The network as it is: latents ``(n, 14)`` to rolls, float32 ``(n, 106, 300, 1)`` in [0, 1]."""
        values = check_latents(latents)
        if self._session is not None:
            return _in_batches(self._session, values)
        rolls = _in_batches(open_session(self._files.weights(), self._files.where, once=True), values)
        give_back()  # a network leaves some 20 MB
        return rolls

    def _piece(self, seed: int | None, latent: Latents) -> Piece:
        return Piece(
            notes=decode(self.rolls(latent[None])[0], self.card.roll_spec),
            steps=self.card.roll_spec.steps,
            tempo=self.card.tempo,
            has_dynamics=self.card.has_velocity,
            seed=seed,
            latent=tuple(latent.tolist()),
            model=self.card.name,
            licence=self.card.output_licence,
        )


def _in_batches(session: Any, latents: Latents) -> npt.NDArray[np.float32]:
    starts = range(0, len(latents), BATCH)
    return np.concatenate([run_session(session, latents[i : i + BATCH]) for i in starts])


def run_session(session: Any, latents: Latents) -> npt.NDArray[np.float32]:
    """Latents float32 ``(n, 14)`` to rolls float32 ``(n, 106, 300, 1)``, all at once."""
    rolls: npt.NDArray[np.float32] = session.run([OUTPUT], {INPUT: latents})[0]
    return rolls


def open_session(weights: bytes, where: str, *, once: bool = False) -> Any:
    """An onnxruntime session on one core for a generator's ONNX file.

    ``once``: it is for one piece, for which to optimise the network takes longer than it saves and memory
    matters, and the weights were found to be whole before.

    Raises :class:`ModelDamaged`, beginning with ``where``, for what is no network, has other ports than a
    generator or keeps tensors in other files, and :class:`ModelError` without onnxruntime.
    """
    if not once:
        _check_whole(weights, where)
    onnxruntime = _runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # not all that it can do: what goes beyond rewrites, in some versions, what they cannot compute then
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_DISABLE_ALL if once else level.ORT_ENABLE_BASIC
    options.log_severity_level = 4  # errors arrive as exceptions; nothing is to be printed over a game
    try:
        session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no common class of their own
        raise ModelDamaged(f"{where}: not a network that onnxruntime can load: {error}") from error
    if once and hasattr(session, "_model_bytes"):
        session._model_bytes = None  # it keeps them to begin anew with another provider
    _check_port(where, INPUT, session.get_inputs(), (LATENT_SIZE,))
    _check_port(where, OUTPUT, session.get_outputs(), ROLL.shape)
    return session


def _check_whole(weights: bytes, where: str) -> None:
    """Raise :class:`ModelDamaged` for a network that keeps tensors in other files.

    onnxruntime opens such files: all of them up to 1.20, later those below the working directory.
    """
    if ELSEWHERE in weights:
        raise ModelDamaged(f"{where}: a network must hold all of its weights; this one names another file")


def _runtime() -> Any:
    """onnxruntime, or :class:`ModelError`."""
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise ModelError(
            f"composing needs the package onnxruntime, which cannot be imported ({error}); pip install "
            "onnxruntime, or play a playlist that was composed beforehand"
        ) from error
    except ImportError as error:  # it is there, but a library that it loads is not
        windows = "install Microsoft's Visual C++ Redistributable, which it needs, or "
        raise ModelError(
            f"composing needs onnxruntime, which is installed and cannot be loaded ({error}); "
            f"{windows * (sys.platform == 'win32')}play a playlist that was composed beforehand"
        ) from error
    return onnxruntime


def _check_port(where: str, name: str, ports: list[Any], shape: tuple[int, ...]) -> None:
    """Raise :class:`ModelDamaged` unless ``ports`` is one float port of this name, any batch of ``shape``."""
    got = [(port.name, port.type, list(port.shape)) for port in ports]
    free = [
        (found, kind, tuple(sizes[1:])) for found, kind, sizes in got if sizes and type(sizes[0]) is not int
    ]
    if free != [(name, FLOAT, shape)]:
        expected = f"one port {name!r}, {FLOAT}, of shape (any, {', '.join(map(str, shape))})"
        raise ModelDamaged(f"{where}: the network must have {expected}; got {got}")
