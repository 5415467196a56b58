"""The shape of the clips that the demo models know."""

#: Seconds of a clip.
SECONDS = 2.0
#: Frames a second, and samples of sound a second.
FPS, SAMPLE_RATE = 8, 16000
#: Frames and samples of a clip.
FRAMES, SAMPLES = int(SECONDS * FPS), int(SECONDS * SAMPLE_RATE)
#: Width and height of a frame, in pixels.
SIDE = 64
