"""The clock of onset curves."""

#: Values of an onset curve per second. Offsets of 40 ms, one frame of a film, are four ticks.
TICKS_PER_SECOND = 100
