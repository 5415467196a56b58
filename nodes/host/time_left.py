"""The time left of a run, from the time that its steps took."""

import time
from collections import deque
from collections.abc import Callable
from statistics import median

#: The time left is shown where it is longer, in seconds, and then at most so often.
WORTH_SAYING, PAUSE = 60.0, 3.0
#: How much is measured before an estimate: steps, or seconds where steps are long.
FEW_STEPS, FEW_SECONDS = 3, 10.0
#: By how many of the last steps the next ones are judged: those that a gradient guides take longer than others.
RECENT = 9


class TimeLeft:
    """Tells the user how long a run still takes, if that is more than a minute, and at its end how long it took.

    say: takes every text. log: takes the first one alone. clock: the time in seconds.
    """

    def __init__(
        self, say: Callable[[str], None], log: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ):
        self._say, self._log, self._clock = say, log, clock
        self._begun, self._said = clock(), float("-inf")
        self._passed, self._seconds = 0.0, deque[float](maxlen=RECENT)
        self._first_step: float | None = None
        self._last = 0.0
        self._first_part: float | None = None
        self._parts = 0
        self._due: float | None = None
        self._shown, self._least = False, False

    def step(self, passed: float) -> None:
        """A step was taken. passed: the part of the run's work that is done; a choice does none and is not measured.

        The first step is not measured either: models are loaded before it.
        """
        now = self._clock()
        if self._first_step is None:
            self._first_step = now
        elif passed < self._passed:  # the run began again, with less memory
            self._seconds.clear()
        elif passed > self._passed:
            self._seconds.append((now - self._last) / (passed - self._passed))
        self._passed, self._last = passed, now
        if len(self._seconds) >= FEW_STEPS or (self._seconds and now - self._first_step > FEW_SECONDS):
            self._due, self._least = now + median(self._seconds) * (1 - passed), False
        self._tell(now)

    def part(self, done: int, total: int, steps: int) -> None:
        """A part of a step was taken, such as a window. steps: that the run takes at least.

        The first step is measured by its parts: it may take minutes. It may use its windows several times.
        """
        now = self._clock()
        if self._first_part is None:
            self._first_part = now
        elapsed = now - self._first_part
        if not self._passed and done > self._parts:
            self._parts = done
            if elapsed > FEW_SECONDS:
                self._due, self._least = now - elapsed + elapsed * total / done * steps, True
        self._tell(now)

    def end(self, finished: bool = True) -> None:
        """The run has ended. finished: with a result."""
        if self._shown:
            self._say(f"{'took' if finished else 'ended after'} {in_words(self._clock() - self._begun)}")

    def _tell(self, now: float) -> None:
        if self._due is None or now < self._said + PAUSE:
            return
        left = self._due - now
        if left <= WORTH_SAYING and not self._shown:
            return
        about = "at least" if self._least else "about"
        words = f"{about} {in_words(left)} left" if left > WORTH_SAYING else "less than a minute left"
        if not self._shown:
            self._log(words)
        self._shown, self._said = True, now
        self._say(words)


def in_words(seconds: float) -> str:
    """A time as people say it: 40 s, 3 min 20 s, 12 min, 2 h 5 min."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes_of_hour = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes_of_hour} min"
    if minutes >= 10 or minutes and not rest:
        return f"{minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
