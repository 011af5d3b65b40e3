"""Keyboard and gamepad to buttons."""

from __future__ import annotations

from typing import Final, NamedTuple

import pygame

from hero import Buttons

LEFT: Final = (pygame.K_LEFT, pygame.K_a)
RIGHT: Final = (pygame.K_RIGHT, pygame.K_d)
JUMP: Final = (pygame.K_SPACE, pygame.K_UP, pygame.K_w, pygame.K_z)
RUN: Final = (pygame.K_x, pygame.K_LSHIFT, pygame.K_RSHIFT)
START: Final = (pygame.K_RETURN, pygame.K_p)
DEAD_ZONE: Final = 0.35


class Layout(NamedTuple):
    """Which buttons of a gamepad do what, by their numbers."""

    left: tuple[int, ...] = ()
    right: tuple[int, ...] = ()
    jump: tuple[int, ...] = (0, 1)
    run: tuple[int, ...] = (2, 3, 5)
    start: tuple[int, ...] = (6, 7, 9)


SWITCH_OR_PS4: Final = Layout(left=(13,), right=(14,), run=(2, 3, 10), start=(6,))
PS5: Final = Layout(start=(9,))
ANY_OTHER: Final = Layout()


def layout(pad: pygame.joystick.JoystickType) -> Layout:
    """Told by how many buttons and crosses there are, as in pygame's list of gamepads."""
    if pad.get_numbuttons() >= 15 and pad.get_numhats() == 0:
        return SWITCH_OR_PS4
    return PS5 if pad.get_numbuttons() > 11 else ANY_OTHER


class Controls:
    """What the player holds down, from all devices together.

    A key or button that was let go again before its step came, as when a frame takes long, counts as held in
    that step.
    """

    def __init__(self) -> None:
        self._pads: dict[int, pygame.joystick.JoystickType] = {}
        self._struck_keys: set[int] = set()
        self._struck_buttons: set[tuple[int, int]] = set()

    def notice(self, event: pygame.event.Event) -> None:
        """A key or button was struck, or a gamepad plugged in or pulled out."""
        if event.type == pygame.KEYDOWN:
            self._struck_keys.add(event.key)
        elif event.type == pygame.JOYBUTTONDOWN:
            self._struck_buttons.add((event.instance_id, event.button))
        elif event.type == pygame.JOYDEVICEADDED:
            pad = pygame.joystick.Joystick(event.device_index)
            self._pads[pad.get_instance_id()] = pad
        elif event.type == pygame.JOYDEVICEREMOVED:
            self._pads.pop(event.instance_id, None)

    def strike_start(self) -> None:
        """As if the player had struck it."""
        self._struck_keys.add(START[0])

    def buttons(self) -> Buttons:
        """The buttons of this moment."""
        across = sum(_across(pad) for pad in self._pads.values())
        buttons = Buttons(
            left=self._keys(LEFT) or self._pressed("left") or across < -DEAD_ZONE,
            right=self._keys(RIGHT) or self._pressed("right") or across > DEAD_ZONE,
            jump=self._keys(JUMP) or self._pressed("jump"),
            run=self._keys(RUN) or self._pressed("run"),
            start=self._keys(START) or self._pressed("start"),
        )
        self._struck_keys.clear()
        self._struck_buttons.clear()
        return buttons

    def _keys(self, keys: tuple[int, ...]) -> bool:
        held = pygame.key.get_pressed()
        return any(held[key] or key in self._struck_keys for key in keys)

    def _pressed(self, name: str) -> bool:
        """Whether a gamepad's button of that name in its :class:`Layout` is, or was just, down."""
        return any(
            (number, button) in self._struck_buttons or pad.get_button(button)
            for number, pad in self._pads.items()
            for button in getattr(layout(pad), name)
            if button < pad.get_numbuttons()
        )


def _across(pad: pygame.joystick.JoystickType) -> float:
    """Stick and cross, −1 (left) to 1."""
    stick = pad.get_axis(0) if pad.get_numaxes() else 0.0
    cross = pad.get_hat(0)[0] if pad.get_numhats() else 0
    return stick if abs(stick) > DEAD_ZONE else float(cross)
