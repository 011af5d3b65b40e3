"""How good the critic takes pieces to be: ``python -m training.judge RUN MODEL DATA -o FILE.npy``.

For the atlas (``python -m export.build_atlas NAME --quality FILE.npy``): one number for each seed from 0, the
higher the more the run's critic takes the piece for real music. The critic is the one that the generator was
trained against, as it is at the newest checkpoint: it goes on learning after the generator's best. Pieces
that get stuck or fall silent (:mod:`training.stuck`) come after all others, whatever the critic thinks of
their texture.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from pianogan_bgm.errors import PianoganError
from pianogan_bgm.files import write_atomically
from training.config import InvalidConfig, load
from training.corpus import Corpus
from training.entrants import entrant
from training.stuck import LONG, SILENT, longest_alike, longest_silence

SEEDS = 4352
"""As many as the atlas measures."""
CHUNK = 256


def judged(run: Path, model: str, corpus: Corpus, seeds: int) -> npt.NDArray[np.float64]:
    """The critic's mean answer to the pieces of seeds 0 to ``seeds`` − 1, float64 ``(seeds,)``."""
    from training.studio_gan import GanStage

    stage = GanStage(load(run / "config.toml"), corpus, run)
    stage.load_newest(run)
    source: Any = entrant(model).source
    chunks = range(seeds // CHUNK)
    answers, last = [], []
    for chunk in tqdm(chunks, desc="judging", unit="chunk"):
        cells = source(CHUNK, chunk)
        answers.append(stage.judge(cells))
        last.append((longest_alike(cells) > LONG) | (longest_silence(cells) >= SILENT))
    return put_last(np.concatenate(answers), np.concatenate(last))


def put_last(answers: npt.NDArray[np.float64], last: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Answers with some of them moved below all others, in their own order."""
    if not last.any() or last.all():
        return answers
    return np.where(last, answers - (answers[last].max() - answers[~last].min()) - 1.0, answers)


def main(argv: list[str] | None = None) -> int:
    """Command line; exit status 2 where run, model or data cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m training.judge", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("run", type=Path, help="run folder of training.train")
    parser.add_argument("model", help="an installed model's name, or MODEL.onnx with its card beside it")
    parser.add_argument("data", type=Path, help="folder of the prepared corpus")
    parser.add_argument("-n", "--seeds", type=int, default=SEEDS, help=f"a multiple of {CHUNK}")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.npy")
    args = parser.parse_args(argv)
    if args.seeds < 1 or args.seeds % CHUNK:
        parser.error(f"--seeds must be a multiple of {CHUNK}; got {args.seeds}")
    try:
        answers = judged(args.run, args.model, Corpus.load(args.data), args.seeds)
    except (InvalidConfig, PianoganError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    data = io.BytesIO()
    np.save(data, answers)
    write_atomically(args.output, data.getvalue())
    print(f"{args.output}: {len(answers)} seeds, from {answers.min():.2f} to {answers.max():.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
