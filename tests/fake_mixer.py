"""A mixer of pure Python with pygame's rules for channels, driven by hand."""

from __future__ import annotations

import contextlib

import numpy as np

from pianogan_bgm.engine import Sink
from pianogan_bgm.pages import Pages, Silent

CHUNK = 256
_TYPES = {-16: np.int16, 32: np.float32, -32: np.float32, 8: np.uint8, -8: np.int8, 16: np.uint16}


class FakeSound:
    def __init__(self, mixer: FakeMixer, buffer: bytes) -> None:
        _, size, channels = mixer.form
        self.array = np.frombuffer(bytearray(buffer), _TYPES[size])
        if channels > 1:
            self.array = self.array.reshape(-1, channels)


class FakeChannel:
    def __init__(self, mixer: FakeMixer) -> None:
        self._mixer = mixer
        self.sound: FakeSound | None = None
        self.waiting: FakeSound | None = None
        self.place = 0
        self.held = False
        self.sounded: list[np.ndarray] = []

    def play(self, sound: FakeSound) -> None:
        self._mixer.check()
        self.sound, self.waiting, self.place, self.held = sound, None, 0, False

    def queue(self, sound: FakeSound) -> None:
        self._mixer.check()
        assert self.waiting is None, "pygame would drop the Sound that waits"
        if self.sound is None:
            self.play(sound)
        else:
            self.waiting = sound

    def stop(self) -> None:
        self._mixer.check()
        starts = self.waiting if self._mixer.ce and self.sound is not None else None
        self.sound, self.waiting, self.place = starts, None, 0

    def pause(self) -> None:
        self.held = True

    def unpause(self) -> None:
        self.held = False

    def set_volume(self, volume: float) -> None:
        assert volume == 1.0

    def get_sound(self) -> FakeSound | None:
        self._mixer.check()
        return self.sound

    def get_busy(self) -> bool:
        return self.get_sound() is not None

    def get_queue(self) -> FakeSound | None:
        self._mixer.check()
        return self.waiting

    def run(self, frames: int) -> None:
        """Let the device read so many frames."""
        while frames and self.sound is not None and not self.held:
            part = self.sound.array[self.place : self.place + frames]
            self.sounded.append(part.copy())
            self.place += len(part)
            frames -= len(part)
            if self.place == len(self.sound.array):
                self.sound, self.waiting, self.place = self.waiting, None, 0


class FakeMixer:
    """``pygame.mixer``, as far as the player uses it. ``ce``: stop() starts what is queued."""

    def __init__(self, rate: int = 8000, size: int = -16, channels: int = 2, ce: bool = False) -> None:
        self.form = (rate, size, channels)
        self.ce = ce
        self.open = True
        self.closing = False
        self.channels = [FakeChannel(self) for _ in range(8)]
        self._owed = 0.0

    def check(self) -> None:
        assert self.open, "the mixer is closed: this would have crashed"

    def get_init(self) -> tuple[int, int, int] | None:
        return self.form if self.open else None

    def Sound(self, buffer: bytes) -> FakeSound:
        self.check()
        return FakeSound(self, buffer)

    def Channel(self, index: int) -> FakeChannel:
        self.check()
        return self.channels[index]

    def get_num_channels(self) -> int:
        self.check()
        return len(self.channels)

    def set_num_channels(self, count: int) -> None:
        self.check()
        self.channels = self.channels[:count] + [FakeChannel(self) for _ in range(count - len(self.channels))]

    def run(self, seconds: float) -> None:
        """Let time pass for the device, which reads whole chunks."""
        self._owed += seconds * self.form[0]
        while self._owed >= CHUNK:
            self._owed -= CHUNK
            for channel in self.channels:
                channel.run(CHUNK)

    def quit(self) -> None:
        self.channels = []
        self.open = False

    def init(self, rate: int, size: int, channels: int) -> None:
        self.form, self.open = (rate, size, channels), True
        self.channels = [FakeChannel(self) for _ in range(8)]


def find_sink(mixer: FakeMixer, present: Sink) -> Sink:
    """The sink for ``mixer`` as it is now, as the engine asks for it: the present one if it still fits."""
    form = mixer.get_init()
    if isinstance(present, Pages) and form == present.format:
        return present
    if form is None:
        return present if isinstance(present, Silent) else Silent(present.rate)
    return Pages(mixer, lambda sound: sound.array, contextlib.nullcontext(), seconds=2.0)
