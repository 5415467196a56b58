"""AV-Align of given peaks, and of clips whose peaks are known."""

import math

import pytest
import torch

from aligner.errors import AlignerError
from aligner.metrics import av_align, av_align_of_clip


def scores(audio, video, fps=10.0) -> tuple[float, float]:
    result = av_align(audio, video, fps)
    return result.matched, result.reference


@pytest.mark.parametrize(
    "audio, video, matched, reference",
    [
        ([1.0, 2.0], [1.0, 2.0], 1.0, 1.0),
        ([1.0, 2.0], [1.05, 3.0], 1 / 3, 1 / 3),
        ([1.0], [2.0], 0.0, 0.0),
        # Three onsets near one video peak: one pair, 1 / (3 + 1 - 1); published code gives 3 / (3 + 1 - 3).
        ([1.0, 1.02, 1.04], [1.0], 1 / 3, 3.0),
        # One onset near three video peaks counts once in both scores.
        ([1.0], [0.95, 1.0, 1.05], 1 / 3, 1 / 3),
        # The second onset has to be paired with the second video peak, although the first is near it too.
        ([1.0, 1.12], [0.95, 1.05], 1.0, 1.0),
        ([], [1.0], 0.0, 0.0),
        ([1.0], [], 0.0, 0.0),
        ([], [], 0.0, 0.0),
    ],
)
def test_by_hand(audio, video, matched, reference):
    assert scores(audio, video) == pytest.approx((matched, reference))
    assert scores(audio[::-1], video[::-1]) == pytest.approx((matched, reference))


@pytest.mark.parametrize("fps", [7.0, 10.0, 29.97])
def test_a_whole_frame_apart_is_no_match(fps):
    for frame in range(50):
        moment = frame / fps
        assert scores([moment + 1 / fps], [moment], fps) == (0, 0)
        assert scores([moment - 0.999 / fps], [moment], fps) == (1, 1)


def test_no_pairing_beats_the_greedy_one(seeded):
    for _ in range(300):
        audio, video = (
            torch.rand(int(torch.randint(1, 7, (1,), generator=seeded)), generator=seeded).tolist() for _ in range(2)
        )
        pairs = most_pairs(
            [[near for near, movement in enumerate(video) if abs(onset - movement) < 0.1] for onset in audio]
        )
        assert scores(audio, video)[0] == pytest.approx(pairs / (len(audio) + len(video) - pairs))


def most_pairs(near: list[list[int]]) -> int:
    """The size of a maximum matching, by augmenting paths. near[i]: the possible partners of i."""
    partner: dict[int, int] = {}

    def placed(one: int, tried: set[int]) -> bool:
        for other in near[one]:
            if other not in tried:
                tried.add(other)
                if other not in partner or placed(partner[other], tried):
                    partner[other] = one
                    return True
        return False

    return sum(placed(one, set()) for one in range(len(near)))


@pytest.mark.parametrize(
    "audio, fps, message",
    [([1.0], 0.0, "frame rate"), ([1.0], math.nan, "frame rate"), ([math.inf], 8.0, "finite times")],
)
def test_what_makes_no_sense(audio, fps, message):
    with pytest.raises(AlignerError, match=message):
        av_align(audio, [1.0], fps)


def test_a_clip_that_clicks_when_it_moves_and_one_that_clicks_elsewhere(seeded):
    fps, rate, moments = 10, 16000, (0.5, 1.2, 2.1)
    frames, on_time = jumping_square(moments, fps), clicks(moments, rate, seeded)
    right = av_align_of_clip(frames, fps, on_time, rate)
    assert right.video_peaks == pytest.approx(moments)
    assert right.audio_peaks == pytest.approx(moments, abs=0.05)
    assert (right.matched, right.reference) == (1, 1)
    assert av_align_of_clip(frames, fps, clicks((0.8, 1.6, 2.6), rate, seeded), rate).matched == 0
    assert av_align_of_clip(iter(frames), fps, on_time, rate) == right


def jumping_square(moments, fps: int) -> torch.Tensor:
    """3 s of a textured square that jumps sideways by 4 pixels at given times: (F, 3, 48, 64) uint8."""
    texture = (255 * torch.rand(1, 16, 16, generator=torch.Generator().manual_seed(5))).to(torch.uint8)
    frames = torch.full((3 * fps, 3, 48, 64), 90, dtype=torch.uint8)
    for number, frame in enumerate(frames):
        left = 8 + 4 * sum(number >= round(moment * fps) for moment in moments)
        frame[:, 16:32, left : left + 16] = texture
    return frames


def clicks(moments, rate: int, seeded) -> torch.Tensor:
    """3 s of faint noise that fades in, with short bursts."""
    time = torch.arange(3 * rate) / rate
    noise = torch.randn(3 * rate, generator=seeded)
    loudness = 1e-4 * (time / 0.1).clamp(max=1) ** 2
    for moment in moments:
        since = time - moment
        loudness = loudness + 0.5 * torch.exp(-since.clamp(min=0) / 0.02) * (since >= 0)
    return loudness * noise
