"""Selection of a key frame."""

import pytest
import torch
import torch.nn.functional as F

from aligner.errors import AlignerError
from aligner.media import probe_video, read_frames
from aligner.media.key_frame import LOOKED_AT, SIDE, key_frame, looked_at, shrunk

#: Large areas with fine detail.
AREAS = torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(0))
SCENE = (AREAS.repeat_interleave(16, 1).repeat_interleave(16, 2) + 0.2 * torch.eye(2).repeat(32, 32)) / 1.2


def blurred(frame: torch.Tensor, radius: int) -> torch.Tensor:
    return F.avg_pool2d(F.pad(frame[None], (radius,) * 4, mode="reflect"), 2 * radius + 1, stride=1)[0]


def test_the_sharpest_of_those_that_are_alike():
    frames = torch.stack([blurred(SCENE, 2), blurred(SCENE, 1), SCENE, blurred(SCENE, 3)])
    assert key_frame(frames) == 2


def test_what_is_sharp_but_unlike_the_rest_is_not_chosen():
    cut = (torch.rand(3, 64, 64) > 0.5).float() * torch.tensor([1.0, 0.0, 0.0]).view(3, 1, 1)
    black = torch.zeros(3, 64, 64)
    frames = torch.stack([black, blurred(SCENE, 2), blurred(SCENE, 1), cut, blurred(SCENE, 3)])
    assert key_frame(frames) == 2


def test_bytes_and_floats_are_the_same():
    frames = torch.stack([blurred(SCENE, k) if k else SCENE for k in (3, 0, 2)])
    assert key_frame((frames * 255).byte()) == key_frame(frames) == 1


@pytest.mark.parametrize("count", [1, 5, LOOKED_AT, 1000])
def test_frames_are_looked_at_from_first_to_last(count):
    numbers = looked_at(count)
    assert numbers[0] == 0 and numbers[-1] == count - 1
    assert len(set(numbers)) == len(numbers) == min(count, LOOKED_AT)


def test_of_no_frames_none_is_an_error_that_says_so():
    with pytest.raises(AlignerError, match="no frames"):
        looked_at(0)


@pytest.mark.parametrize("height, width", [(300, 700), (2000, 3), (64, 64)])
def test_shrinking_one_by_one_and_twice_is_shrinking_once(height, width):
    frames = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(1))
    small = shrunk(frames)
    assert max(small.shape[-2:]) == min(SIDE, max(height, width))
    assert torch.equal(torch.cat([shrunk(frame) for frame in frames.split(1)]), small)
    assert torch.equal(shrunk(small), small)


def test_everything_is_computed_where_the_frames_are():
    """The default device has no effect: "meta" could not compute anything."""
    with torch.device("meta"):
        assert key_frame(SCENE[None]) == 0


def test_one_frame_is_its_own():
    assert key_frame(SCENE[None]) == 0


def test_a_video_file_is_read_small(make_video, tmp_path):
    path = make_video(tmp_path / "clip.mp4", range(5))
    small, whole = read_frames(path, [0, 3], longest_side=32), read_frames(path, [0, 3])
    info = probe_video(path)
    assert max(small.shape[1:3]) == 32 and whole.shape[1:3] == (info.height, info.width)
    assert torch.equal(read_frames(path, [0, 3], longest_side=4096), whole)
