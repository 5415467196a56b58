"""The picture of what begins when."""

import numpy
import pytest
import torch

from aligner.demo.examples import EXAMPLE_SOUND, EXAMPLE_VIDEO
from aligner.media import add_sound, read_audio
from aligner.pictures.palette import CHOSEN
from laboratory import draw_onsets

WIDTH, LANE = 1200, 136


def curve_of(picture, lane):
    """For every column the height of the curve in a lane; the frames and the spectrogram have other colours."""
    pixels = torch.from_numpy(numpy.array(picture))
    colour = torch.tensor([int(CHOSEN[k : k + 2], 16) for k in (1, 3, 5)])
    found = (pixels[lane * LANE + 18 : (lane + 1) * LANE - 8] == colour).all(dim=2)
    return torch.where(found.any(dim=0), 110 - found.int().argmax(dim=0), 0)


def test_both_curves_rise_where_the_ball_lands(tmp_path):
    sound, rate = read_audio(EXAMPLE_SOUND)
    add_sound(EXAMPLE_VIDEO, tmp_path / "clip.mp4", sound, rate)
    draw_onsets.main([str(tmp_path / "clip.mp4"), str(tmp_path / "clip.png")])
    picture = draw_onsets.drawn(tmp_path / "clip.mp4")
    assert picture.size == (WIDTH, 2 * LANE) and (tmp_path / "clip.png").exists()
    for lane in (0, 1):
        curve = curve_of(picture, lane)
        for seconds in (0.26, 1.26):
            place = round(seconds / 2 * WIDTH)
            assert curve[place - 60 : place + 60].max() > 60, f"lane {lane} at {seconds} s"
        assert curve[480:660].max() < 20, "nothing begins between the bounces"


def test_a_silent_clip_has_one_lane():
    assert draw_onsets.drawn(EXAMPLE_VIDEO).size == (WIDTH, LANE)


def test_a_clip_that_is_missing_is_named(tmp_path):
    with pytest.raises(draw_onsets.AlignerError, match="missing.mp4"):
        draw_onsets.main([str(tmp_path / "missing.mp4"), str(tmp_path / "clip.png")])
