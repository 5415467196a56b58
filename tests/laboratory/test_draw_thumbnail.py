"""The pictures of templates show frames and sound of a result."""

import pytest
import torch
from PIL import Image

from aligner.media import write_video
from laboratory import draw_thumbnail


@pytest.fixture
def result(tmp_path):
    """Sixteen frames from black to white, and a sound in the second half."""
    frames = torch.linspace(0, 255, 16).view(-1, 1, 1, 1).expand(-1, 64, 64, 3).round().to(torch.uint8)
    sound = torch.sin(torch.arange(32_000) * 0.5)
    sound[:16_000] = 0
    write_video(tmp_path / "result.mp4", frames, 8, sound[None], 16_000)
    return tmp_path / "result.mp4"


@pytest.mark.parametrize("options, frames_at, sound_at", [((), 0, 256), (("--sound-first",), 256, 0)])
def test_frames_and_sound_have_a_half_each(result, tmp_path, options, frames_at, sound_at):
    draw_thumbnail.main([str(result), str(tmp_path / "picture.jpg"), *options])
    picture = Image.open(tmp_path / "picture.jpg").convert("L")
    assert picture.size == (512, 512)
    first, last = picture.getpixel((60, frames_at + 60)), picture.getpixel((440, frames_at + 190))
    assert first < 40 and last > 215
    left, right = (picture.crop((x, sound_at, x + 200, sound_at + 256)) for x in (0, 300))
    assert left.getextrema()[1] < right.getextrema()[1]
