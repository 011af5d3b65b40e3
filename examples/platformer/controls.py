"""Keyboard and gamepad to buttons."""

from __future__ import annotations

from typing import Final

import pygame

from hero import Buttons

LEFT: Final = (pygame.K_LEFT, pygame.K_a)
RIGHT: Final = (pygame.K_RIGHT, pygame.K_d)
JUMP: Final = (pygame.K_SPACE, pygame.K_UP, pygame.K_w, pygame.K_z)
RUN: Final = (pygame.K_x, pygame.K_LSHIFT, pygame.K_RSHIFT)
START: Final = (pygame.K_RETURN, pygame.K_p)
PAD_JUMP, PAD_RUN, PAD_START = (0, 1), (2, 3, 5), (6, 7, 9)
DEAD_ZONE: Final = 0.35


class Controls:
    """What the player holds down, from all devices together."""

    def __init__(self) -> None:
        self._pads: dict[int, pygame.joystick.JoystickType] = {}

    def notice(self, event: pygame.event.Event) -> None:
        """A gamepad was plugged in or pulled out."""
        if event.type == pygame.JOYDEVICEADDED:
            pad = pygame.joystick.Joystick(event.device_index)
            self._pads[pad.get_instance_id()] = pad
        elif event.type == pygame.JOYDEVICEREMOVED:
            self._pads.pop(event.instance_id, None)

    def buttons(self) -> Buttons:
        """The buttons of this moment."""
        keys = pygame.key.get_pressed()
        pads = list(self._pads.values())
        across = sum(_across(pad) for pad in pads)
        return Buttons(
            left=any(keys[key] for key in LEFT) or across < -DEAD_ZONE,
            right=any(keys[key] for key in RIGHT) or across > DEAD_ZONE,
            jump=any(keys[key] for key in JUMP) or _pressed(pads, PAD_JUMP),
            run=any(keys[key] for key in RUN) or _pressed(pads, PAD_RUN),
            start=any(keys[key] for key in START) or _pressed(pads, PAD_START),
        )


def _across(pad: pygame.joystick.JoystickType) -> float:
    """Stick and cross, −1 (left) to 1."""
    stick = pad.get_axis(0) if pad.get_numaxes() else 0.0
    cross = pad.get_hat(0)[0] if pad.get_numhats() else 0
    return stick if abs(stick) > DEAD_ZONE else float(cross)


def _pressed(pads: list[pygame.joystick.JoystickType], buttons: tuple[int, ...]) -> bool:
    return any(pad.get_button(b) for pad in pads for b in buttons if b < pad.get_numbuttons())
