"""The moving picture of the README, and its sound, from the demo: `python run.py demo`, then this module."""

from __future__ import annotations

import shutil
from pathlib import Path

from PIL import Image

from aligner.media import probe_video, read_frames

ROOT = Path(__file__).parents[1]
SOURCE, FOLDER = ROOT / "out" / "demo_joint.mp4", ROOT / "docs"
SIDE = 160


def main() -> None:
    """Write docs/demo.mp4 and docs/demo.gif."""
    info = probe_video(SOURCE)
    frames = read_frames(SOURCE, range(len(info.frame_times)))
    pictures = [Image.fromarray(frame.numpy()).resize((SIDE, SIDE), Image.Resampling.BICUBIC) for frame in frames]
    milliseconds = round(1000 / float(info.fps))
    pictures[0].save(
        FOLDER / "demo.gif", save_all=True, append_images=pictures[1:], duration=milliseconds, loop=0, optimize=True
    )
    shutil.copyfile(SOURCE, FOLDER / "demo.mp4")


if __name__ == "__main__":
    main()
