"""Letters and everything written over the picture: score line, music line, live piano roll."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import pygame

from pen import INK, Color, Pen

WHITE: Final[Color] = (255, 255, 255)
GOLD: Final[Color] = (255, 214, 84)
ROLL_BOX: Final = pygame.Rect(12, 34, 616, 92)
"""Where the piano roll lies unless something is written there."""
ROLL_STEPS: Final = 96
"""Sixteenths of music that the piano roll shows: six bars."""


class RollNote(Protocol):
    """A note for the piano roll: first step, MIDI pitch, steps held."""

    @property
    def start(self) -> int:
        """Step at which it is struck."""

    @property
    def pitch(self) -> int:
        """MIDI number."""

    @property
    def length(self) -> int:
        """Steps it is held."""


class Type:
    """Outlined letters in pygame's own font; lines once written are kept."""

    def __init__(self) -> None:
        self._fonts: dict[int, pygame.font.Font] = {}
        self._lines: dict[tuple[str, int, Color], pygame.Surface] = {}

    def line(self, text: str, size: int, color: Color) -> pygame.Surface:
        """A line of text with a dark outline."""
        key = (text, size, color)
        if key not in self._lines:
            if len(self._lines) > 300:
                self._lines.clear()
            self._lines[key] = self._write(text, size, color)
        return self._lines[key]

    def _write(self, text: str, size: int, color: Color) -> pygame.Surface:
        if size not in self._fonts:
            self._fonts[size] = pygame.font.Font(None, size)
        font = self._fonts[size]
        edge = 1 if size < 30 else 2
        ink, face = font.render(text, True, INK), font.render(text, True, color)
        line = pygame.Surface(
            (face.get_width() + 2 * edge, face.get_height() + 2 * edge + 1), pygame.SRCALPHA
        )
        for dx in range(2 * edge + 1):
            for dy in range(2 * edge + 2):
                line.blit(ink, (dx, dy))
        line.blit(face, (edge, edge))
        return line

    def put(
        self,
        target: pygame.Surface,
        text: str,
        size: int,
        at: tuple[float, float],
        color: Color = WHITE,
        anchor: str = "topleft",
    ) -> None:
        """Write ``text`` with its ``anchor`` (as in ``pygame.Rect``) at a place."""
        line = self.line(text, size, color)
        target.blit(line, line.get_rect(**{anchor: (round(at[0]), round(at[1]))}))


class ScoreLine:
    """Lives, coins, score and time along the top."""

    def __init__(self, letters: Type, face: pygame.Surface, coin: pygame.Surface) -> None:
        self._letters = letters
        self._face = pygame.transform.smoothscale(face.subsurface((9, 4, 36, 31)), (28, 24))
        self._coin = pygame.transform.smoothscale(coin, (22, 22))
        self._bar = pygame.Surface((640, 30), pygame.SRCALPHA)
        for y in range(30):
            self._bar.fill((24, 16, 44, 120 - 4 * y), (0, y, 640, 1))

    def draw(
        self, target: pygame.Surface, area: str, lives: int, coins: int, score: int, seconds: int
    ) -> None:
        """The line as it stands; the last seconds blink."""
        put = self._letters.put
        target.blit(self._bar, (0, 0))
        target.blit(self._face, (8, 2))
        put(target, f"x {lives}", 22, (36, 6))
        target.blit(self._coin, (84, 3))
        put(target, f"{coins:02}", 22, (109, 6))
        put(target, area, 22, (320, 6), (222, 232, 255), "midtop")
        put(target, f"{score:06}", 22, (540, 6), WHITE, "topright")
        hot = seconds <= 30 and seconds % 2 == 0
        put(target, f"TIME {seconds:3}", 22, (632, 6), (255, 110, 96) if hot else GOLD, "topright")


def music_line(target: pygame.Surface, letters: Type, text: str, pulse: float) -> None:
    """What plays, at the bottom, with a note that hops on the beat."""
    line = letters.line(text, 17, (226, 234, 255))
    y = 360 - line.get_height() - 4
    hop = round(3 * pulse)
    pygame.draw.ellipse(target, INK, (7, y + 6 - hop, 10, 8))
    pygame.draw.ellipse(target, GOLD, (8, y + 7 - hop, 8, 6))
    pygame.draw.line(target, INK, (15, y + 9 - hop), (15, y - 2 - hop), 3)
    pygame.draw.line(target, GOLD, (15, y + 9 - hop), (15, y - 1 - hop), 1)
    target.blit(line, (22, y))


class PianoRoll:
    """The piece as it is heard: notes run under a fixed playhead."""

    def __init__(self, letters: Type) -> None:
        self._letters = letters
        self._panel = pygame.Surface(ROLL_BOX.size, pygame.SRCALPHA)
        pygame.draw.rect(self._panel, (24, 16, 44, 214), ((0, 0), ROLL_BOX.size), border_radius=8)
        pygame.draw.rect(self._panel, (150, 130, 200), ((0, 0), ROLL_BOX.size), 2, border_radius=8)

    def draw(
        self,
        target: pygame.Surface,
        top: int,
        notes: Sequence[RollNote],
        step: float,
        beats_per_bar: int,
    ) -> None:
        """``notes`` about ``step`` of the piece; the playhead stands a quarter of the way across."""
        box = ROLL_BOX.move(0, top - ROLL_BOX.top)
        target.blit(self._panel, box)
        inner = box.inflate(-12, -12)
        scale = inner.width / ROLL_STEPS
        first = step - ROLL_STEPS / 4
        head = inner.left + inner.width // 4
        old = target.get_clip()
        target.set_clip(inner)
        bar = 4 * beats_per_bar
        for beat in range(max(0, int(first // 4) * 4), int(first) + ROLL_STEPS + 4, 4):
            x = inner.left + (beat - first) * scale
            color = (112, 96, 160) if beat % bar == 0 else (58, 48, 92)
            pygame.draw.line(target, color, (x, inner.top), (x, inner.bottom))
        for note in notes:
            if note.start < first + ROLL_STEPS and note.start + note.length > first:
                self._note(target, inner, note, (note.start - first) * scale, scale, step)
        pygame.draw.line(target, (255, 255, 255), (head, inner.top), (head, inner.bottom), 2)
        target.set_clip(old)

    def _note(
        self, target: pygame.Surface, inner: pygame.Rect, note: RollNote, x: float, scale: float, step: float
    ) -> None:
        low, high = 30, 96
        y = inner.bottom - 4 - (min(high, max(low, note.pitch)) - low) * (inner.height - 6) / (high - low)
        sounding = note.start <= step < note.start + note.length
        colors: tuple[Color, ...] = ((96, 150, 246), (110, 214, 190), (255, 178, 84))
        color = colors[0 if note.pitch < 52 else 1 if note.pitch < 68 else 2]
        rect = pygame.Rect(round(inner.left + x), round(y), max(3, round(note.length * scale) - 1), 4)
        pygame.draw.rect(
            target, WHITE if sounding else color, rect.inflate(2, 2) if sounding else rect, border_radius=2
        )


def panel(w: int, h: int) -> pygame.Surface:
    """A board to write on."""
    pen = Pen(w, h)
    pen.box((58, 44, 92), 3, 3, w - 6, h - 6, 12)
    pen.box((78, 62, 120), 6, 6, w - 12, h - 12, 9)
    return pen.done(2.0)
