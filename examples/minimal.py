"""The smallest game with music: a ball to move about. Space asks for other music, Escape leaves.

python examples/minimal.py
"""

import itertools
import sys
from contextlib import suppress

import pygame

from pianogan_bgm import BackgroundMusic, PianoganError


def main() -> int:
    pygame.init()
    screen = pygame.display.set_mode((480, 320))
    clock = pygame.time.Clock()
    ball = pygame.Vector2(240, 160)
    moods = itertools.cycle(("battle", "sad", "playful", "calm"))

    try:
        music = BackgroundMusic(mood="calm")
    except PianoganError as error:
        print(error, file=sys.stderr)
        return 1
    music.play(fade_ms=800)  # endless, returns at once

    while True:
        for event in pygame.event.get():
            if event.type == pygame.QUIT or (event.type == pygame.KEYDOWN and event.key == pygame.K_ESCAPE):
                return 0
            if event.type == pygame.KEYDOWN and event.key == pygame.K_SPACE:
                music.transition(next(moods), at="bar")
                music.stinger("coin")
        keys = pygame.key.get_pressed()
        ball.x = (ball.x + 4 * (keys[pygame.K_RIGHT] - keys[pygame.K_LEFT])) % 480
        ball.y = (ball.y + 4 * (keys[pygame.K_DOWN] - keys[pygame.K_UP])) % 320
        music.intensity = 1.0 - ball.y / 320  # higher up, more is going on

        screen.fill((28, 24, 48))
        pygame.draw.circle(screen, (255, 200, 80), ball, 24 - 8 * music.beat_phase)
        pygame.display.flip()
        clock.tick(60)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):  # Ctrl-C
        raise SystemExit(main())
