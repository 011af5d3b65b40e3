"""A rhythm toy: press Space on the beat. Each hit makes the music richer, each miss thinner.

python examples/rhythm_toy.py
"""

import sys
from contextlib import suppress

import pygame

from pianogan_bgm import BackgroundMusic, PianoganError

WINDOW = 0.18  # how far from the beat a hit may be, in beats


def main() -> int:
    pygame.init()
    screen = pygame.display.set_mode((480, 320))
    clock = pygame.time.Clock()
    font = pygame.font.Font(None, 48)
    try:
        music = BackgroundMusic(mood="playful", intensity=0.3)
    except PianoganError as error:
        print(error, file=sys.stderr)
        return 1
    BEAT = music.event_type  # asking for the type starts the events
    music.play()

    streak, strong = 0, False
    flash: tuple[int, ...] = (40, 34, 66)
    while True:
        for event in pygame.event.get():
            if event.type == pygame.QUIT or (event.type == pygame.KEYDOWN and event.key == pygame.K_ESCAPE):
                return 0
            if event.type == BEAT and event.kind == "beat":
                now = music.now_playing
                # whether the next beat, on which the ring closes, begins a bar
                strong = now is not None and event.beat == now.piece.beats_per_bar
            elif event.type == pygame.KEYDOWN and event.key == pygame.K_SPACE:
                hit = min(music.beat_phase, 1.0 - music.beat_phase) < WINDOW
                streak = streak + 1 if hit else 0
                flash = (60, 160, 110) if hit else (170, 60, 70)
                music.intensity = min(1.0, 0.3 + 0.07 * streak)
                music.stinger("coin" if hit else "hurt")

        screen.fill(flash)
        flash = tuple(int(c + (rest - c) * 0.1) for c, rest in zip(flash, (40, 34, 66), strict=True))
        size = 28 + 92 * (1.0 - music.beat_phase)  # the ring closes on the beat, at any tempo
        pygame.draw.circle(screen, (255, 210, 90) if strong else (150, 140, 210), (240, 160), size, 4)
        pygame.draw.circle(screen, (255, 255, 255), (240, 160), 28)
        number = font.render(f"{streak}", True, (40, 34, 66))
        screen.blit(number, number.get_rect(center=(240, 160)))
        pygame.display.flip()
        clock.tick(60)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):  # Ctrl-C
        raise SystemExit(main())
