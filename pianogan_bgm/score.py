"""What a MIDI file becomes when it is read: parts on a grid, tempos, meters and a report. Pure data."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from pianogan_bgm.errors import InvalidMidi
from pianogan_bgm.notes import STEPS_PER_BEAT, Note, untangle
from pianogan_bgm.piece import MAX_BEATS_PER_BAR, TEMPO_RANGE, Piece


@dataclass(frozen=True, slots=True)
class Part:
    """One instrument of a score.

    ``track``: 0-based. ``channel``: 0–15, 9 being ``drums`` (their pitches mean instruments). ``program``:
    General MIDI, 0–127. ``notes``: sorted, one at a time on each key, all 128 pitches.
    """

    name: str
    track: int
    channel: int
    program: int
    drums: bool
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What reading did to the notes.

    ``notes``: strokes in the file, ``drums`` of them on the drum channel. ``moved``: strokes off the grid;
    ``mean_shift``: how far, in steps, on average over all strokes (0 to 0.5; 0.25 is what chance gives).
    ``merged``: melted into another on the same key and step. ``hanging``: never released. ``outside``:
    notes of pitched parts for which this project's roll has no row; they are kept in the parts.
    """

    notes: int
    drums: int
    moved: int
    mean_shift: float
    merged: int
    hanging: int
    outside: int


@dataclass(frozen=True, slots=True)
class Score:
    """A MIDI file on a grid.

    ``steps``: length, ends of tracks included, 1 or more. ``resolution``: beats a step. ``tempos``: ``(step,
    beats a minute)``; ``meters``: ``(step, numerator, denominator)``; both begin at step 0. ``licence``: the
    file's copyright, None where it has none.
    """

    parts: tuple[Part, ...]
    steps: int
    resolution: Fraction
    tempos: tuple[tuple[int, float], ...]
    meters: tuple[tuple[int, int, int], ...]
    report: Report
    licence: str | None = None

    def seconds(self, step: float) -> float:
        """Seconds from the beginning to ``step``, through every tempo on the way."""
        total = 0.0
        ends = [start for start, _ in self.tempos[1:]] + [float("inf")]
        for (start, tempo), end in zip(self.tempos, ends, strict=True):
            total += max(0.0, min(step, end) - start) * float(self.resolution) * 60.0 / tempo
        return total

    @property
    def tempo(self) -> float:
        """The one tempo (beats a minute) at which the score lasts as long as with its own."""
        if len(self.tempos) == 1:
            return self.tempos[0][1]
        return self.steps * float(self.resolution) * 60.0 / self.seconds(self.steps)

    @property
    def beats_per_bar(self) -> int:
        """Beats (quarter notes) of a bar by the first metre; 4 where it has no whole number of them."""
        _, numerator, denominator = self.meters[0]
        beats, rest = divmod(4 * numerator, denominator)
        return beats if rest == 0 and 1 <= beats <= MAX_BEATS_PER_BAR else 4

    def piece(self) -> Piece:
        """Every part but the drums as one piece at :attr:`tempo`, held to what a piece allows (20–400).

        Raises :class:`InvalidMidi` for a score on another grid than sixteenths, and for one of drums alone.
        """
        if self.resolution != Fraction(1, STEPS_PER_BEAT):
            raise InvalidMidi(f"a piece has steps of 1/{STEPS_PER_BEAT} beat; got {self.resolution}")
        notes = untangle(note for part in self.parts if not part.drums for note in part.notes)
        if not notes and self.report.drums:
            raise InvalidMidi("expected notes of an instrument; got drums alone, which nothing here plays")
        low, high = TEMPO_RANGE
        return Piece(
            notes,
            steps=self.steps,
            tempo=min(max(round(self.tempo, 2), low), high),
            beats_per_bar=self.beats_per_bar,
            has_dynamics=len({note.velocity for note in notes}) > 1,
            licence=self.licence,
        )
