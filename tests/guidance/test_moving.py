"""Candidates that are moved in time."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from aligner.errors import AlignerError
from aligner.generation import generate
from aligner.generators.inpainting import Inpainting
from aligner.generators.joint import JointDenoiser
from aligner.guidance.moving import Mover, moved, picked_moves
from aligner.guidance.objective import Comparison, Objective, Observed
from aligner.guidance.pairs import Pair
from aligner.guidance.search import Search
from aligner.guidance.synchrony_term import PlacedOnsets, SynchronyTerm
from aligner.timing.intervals import WHOLE, Interval

from .test_synchrony_term import curve

#: 50 latent frames of 80 ms.
FRAMES, SECONDS = 50, 4
CLEAN = {"audio": torch.zeros(1, 2, FRAMES, 3)}


def generator(**changes):
    return SimpleNamespace(**{"movable_streams": ("audio",), "segments": (WHOLE,), "seconds": SECONDS} | changes)


def following(onsets) -> Objective:
    term = SynchronyTerm({"audio": 0.3}, {"video": PlacedOnsets(onsets)})
    return Objective(lambda signal: signal, {}, [Pair("audio", "video")], term=term)


def best(heard, seen, longest=1.0, **changes):
    mover = Mover(generator(**changes), CLEAN, longest)
    observed = Observed({}, {"audio": heard})
    return mover, observed, mover.best(following(seen), observed, 0.4)


@pytest.mark.parametrize("late", [-96, -40, 0, 8, 72])
def test_the_best_move_undoes_an_offset(late):
    mover, observed, moves = best(curve(150 + late, 230 + late), curve(150, 230))
    assert moves["audio"].tolist() == [-late // 8]
    onsets = mover.observed(observed, moves).onsets["audio"]
    assert onsets[0].nonzero().flatten().tolist() == [150, 230]


def test_nothing_moves_further_than_allowed():
    assert best(curve(300), curve(100), longest=1.0)[2]["audio"].item() == 0, "no move within 1 s helps"
    assert best(curve(240), curve(200), longest=0.4)[2]["audio"].item() == -5
    assert best(curve(240), curve(200), longest=0.2)[2]["audio"].abs().item() <= 2
    # A move by more than half of the length would be another move in the other direction.
    assert best(curve(10), curve(390), longest=60.0)[2]["audio"].item() in (-2, -3)


def test_every_sample_moves_by_itself():
    moves = best(torch.cat([curve(160), curve(120), curve()]), curve(160))[2]
    assert moves["audio"].tolist() == [0, 5, 0]
    latents = torch.arange(3 * FRAMES, dtype=torch.float32).view(3, 1, FRAMES, 1)
    found = moved({"audio": latents}, moves)["audio"]
    assert torch.equal(found[0], latents[0]) and torch.equal(found[1], latents[1].roll(5, 1))


@pytest.mark.parametrize(
    "changes",
    [{"movable_streams": ()}, {"segments": (Interval(0, 2), Interval(2, None))}, {"movable_streams": ("video",)}],
)
def test_what_a_generator_ties_to_a_moment_stays(changes):
    assert best(curve(160), curve(120), **changes)[2] == {}


def test_without_a_move_there_are_no_moves():
    assert best(curve(160), curve(120), longest=0.0)[2] == {}
    mover = Mover(generator(), CLEAN, 1.0)
    no_timing = replace(following(curve(120)), term=None)
    assert mover.best(no_timing, Observed({}, {"audio": curve(160)}), 0.4) == {}


def test_a_move_is_told_in_seconds():
    mover = Mover(generator(), CLEAN, 1.0)
    assert mover.words({"audio": torch.tensor([3, 0])}) == ", 0.24 s later"
    assert mover.words({"audio": torch.tensor([-1])}) == ", 0.08 s earlier"
    assert mover.words({"audio": torch.tensor([0])}) == "" == mover.words({})


def test_the_chosen_candidate_brings_its_own_moves():
    tried = [{"audio": torch.tensor([1, 2])}, {"audio": torch.tensor([3, 4])}]
    assert picked_moves(tried, torch.tensor([1, 0]))["audio"].tolist() == [3, 2]
    assert picked_moves([{}, {}], torch.tensor([1, 0])) == {}


def test_only_sounds_from_noise_that_keep_nothing_are_movable(audioldm, animatediff):
    whole, partly = (audioldm.denoiser(seconds=1, steps=5, denoise=denoise) for denoise in (1.0, 0.5))
    video = animatediff.denoiser(frames=4, height=64, width=64, fps=4, steps=5)
    assert whole.movable_streams == ("audio",) and partly.movable_streams == ()
    assert JointDenoiser([video, whole]).movable_streams == ("audio",)
    assert Inpainting(whole, {"audio": None}, {}, {}).movable_streams == ()
    assert Inpainting(JointDenoiser([video, whole]), {"video": None}, {}, {}).movable_streams == ("audio",)


def test_the_search_moves_what_it_chose(audioldm, binder, text_condition):
    """Timing decides alone: the estimate at the choice is that of the same noise, moved in a circle."""
    denoiser = audioldm.denoiser(seconds=1, steps=5)
    onsets = torch.zeros(1, 100)
    onsets[:, 50] = 1.0
    conditions = [replace(text_condition, onsets=onsets)]

    def choice(longest_shift):
        steps = []
        generate(
            denoiser,
            denoiser.prompts(["a dog"]),
            seed=0,
            binder=binder,
            conditions=conditions,
            rule=Search(
                candidates={"audio": 2}, comparison=Comparison(audio_timing_weight=10.0), longest_shift=longest_shift
            ),
            on_step=steps.append,
        )
        return next(step for step in steps if step.tried)

    still, shifted = choice(0.0), choice(0.5)
    assert not any("later" in take.label or "earlier" in take.label for take in still.tried)
    assert any("later" in take.label or "earlier" in take.label for take in shifted.tried)
    assert shifted.alignment.synchrony["audio ~ text"] > still.alignment.synchrony["audio ~ text"] + 0.02
    (label,) = [take.label for number, take in enumerate(shifted.tried) if number == shifted.chosen]
    seconds, direction = label.split(", ")[1].split(" s ")
    frames = round(float(seconds) * shifted.clean["audio"].shape[2]) * (1 if direction == "later" else -1)
    estimates = []
    generate(
        denoiser,
        denoiser.prompts(["a dog"]),
        seed=0,
        binder=binder,
        conditions=conditions,
        rule=Search(candidates={"audio": 2}, longest_shift=0.0),
        on_step=lambda step: step.index == 1 and not step.tried and estimates.append(step.clean["audio"]),
    )
    assert any(torch.equal(estimate.roll(frames, 2), shifted.clean["audio"]) for estimate in estimates)


def test_a_shift_that_cannot_work_is_refused():
    for shift in (-0.1, float("nan"), float("inf")):
        with pytest.raises(AlignerError, match="longest_shift must be 0 seconds or more"):
            Search(longest_shift=shift)
