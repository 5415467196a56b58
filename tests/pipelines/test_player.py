"""A player shows what a candidate becomes, and takes no step twice."""

import pytest
import torch

from aligner.pipelines.player import PipelinePlayer
from tests.pipelines.random_pipelines import embedding, flux, ltx2

SEED = 3


def player_of(example):
    example.pipeline.set_progress_bar_config(disable=True)
    return PipelinePlayer(example.pipeline, {**example.call, "output_type": "pt"}, SEED, 8, None)


def towards(target):
    """A flow that leads straight from anywhere to one target: what a network predicts that knows the result."""

    def flow(values, sigma):
        return (values - target) / sigma.view(-1, 1, 1)

    return flow


def knowing_flux():
    example, flow = flux(), towards(embedding(1, 16, 16))
    example.pipeline.transformer.forward = lambda hidden_states, timestep, **others: (flow(hidden_states, timestep),)
    return example


def knowing_ltx2():
    example, frames, sound = ltx2(), towards(embedding(1, 32, 4)), towards(embedding(1, 28, 4))

    def forward(hidden_states, audio_hidden_states, timestep, **others):
        return frames(hidden_states, timestep / 1000), sound(audio_hidden_states, timestep / 1000)

    example.pipeline.transformer.forward = forward
    return example


@pytest.mark.parametrize("until", [1, 3])
@pytest.mark.parametrize("make", [knowing_flux, knowing_ltx2])
def test_what_is_judged_is_what_a_candidate_becomes(make, until):
    player = player_of(make())
    signals, result = player.follow(0, until), player.finish(0)
    shown = {"images": lambda signal: signal.pixels[:, 0], "frames": lambda signal: signal.pixels}
    shown["audio"] = lambda signal: signal.waveform
    for name, stream in {"images": "video", "frames": "video", "audio": "audio"}.items():
        if name in result:
            becomes = result[name].mean(dim=1) if stream == "audio" else result[name]
            torch.testing.assert_close(shown[name](signals[stream]), becomes, atol=1e-3, rtol=0)


def test_steps_are_counted_as_they_are_taken():
    player = player_of(flux())
    taken = []
    for candidate, until in ((0, 1), (0, 3), (1, 3), (0, 3), (0, 4)):
        player.follow(candidate, until)
        taken.append(player.evaluations)
    assert taken == [1, 3, 6, 6, 7] and player.steps == 6
    player.forget(1)
    player.finish(0)
    assert player.evaluations == 9


def test_following_shows_the_same_from_the_record():
    player, other = player_of(ltx2()), player_of(ltx2())
    player.follow(0, 2)
    recorded, anew = player.follow(0, 4), other.follow(0, 4)
    assert torch.equal(recorded["video"].pixels, anew["video"].pixels)
    assert torch.equal(recorded["audio"].waveform, anew["audio"].waveform)


def test_candidates_differ_and_repeat_themselves():
    player = player_of(flux())
    first, second = (player.follow(candidate, 2)["video"].pixels for candidate in (0, 1))
    assert not torch.equal(first, second)
    assert torch.equal(first, player_of(flux()).follow(0, 2)["video"].pixels)
