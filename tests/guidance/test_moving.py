"""Candidates that are moved in time."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from aligner.errors import AlignerError
from aligner.generation import generate
from aligner.generators.inpainting import Inpainting
from aligner.generators.joint import JointDenoiser
from aligner.guidance.moving import Mover, picked
from aligner.guidance.objective import Comparison, Objective, Observed
from aligner.guidance.pairs import Pair
from aligner.guidance.rule import State
from aligner.guidance.search import Search
from aligner.guidance.synchrony_term import PlacedOnsets, SynchronyTerm
from aligner.timing.intervals import WHOLE, Interval

from .test_synchrony_term import curve

#: 25 latent frames of 80 ms: two pieces.
FRAMES, SECONDS = 25, 2
CLEAN = {"audio": torch.zeros(1, 2, FRAMES, 3)}


def generator(**changes):
    return SimpleNamespace(
        **{
            "movable_streams": ("audio",),
            "segments": (WHOLE,),
            "seconds": SECONDS,
            "noised": lambda clean, noise, steps: clean,
        }
        | changes
    )


def onsets_at(*ticks):
    return curve(*ticks, length=200)


def following(onsets) -> Objective:
    term = SynchronyTerm({"audio": 0.3}, {"video": PlacedOnsets(onsets)})
    return Objective(lambda signal, binder: signal, {}, [Pair("audio", "video")], term=term)


def mover_of(seen=None, longest=1.0, **changes) -> Mover:
    """A mover at 40 % of denoising. seen: the onsets that the sound follows; None: silence."""
    objective = following(onsets_at() if seen is None else seen)
    return Mover(generator(**changes), CLEAN, longest, objective, 0.4)


def best(heard, seen, longest=1.0, **changes):
    return mover_of(seen, longest, **changes).best(Observed({}, {"audio": heard}))


def by_piece(heard, seen, longest=1.0):
    """The shifts of every piece, and when the moved sound begins."""
    mover, observed = mover_of(seen, longest), Observed({}, {"audio": heard})
    shifts = mover.by_piece(observed, mover.best(observed))["audio"]
    pieces = [
        heard.roll(8 * shift, 1)[:, part] for shift, part in zip(shifts[0].tolist(), (slice(100), slice(100, 200)))
    ]
    return shifts.tolist(), torch.cat(pieces, dim=1)[0].nonzero().flatten().tolist()


def heard_after(observed):
    return [row.nonzero().flatten().tolist() for row in observed.onsets["audio"]]


@pytest.mark.parametrize("late", [-40, -8, 0, 8, 32])
def test_the_best_move_undoes_an_offset(late):
    heard = onsets_at(60 + late, 150 + late)
    moves = best(heard, onsets_at(60, 150))
    assert moves["audio"].tolist() == [-late // 8]
    mover = mover_of()
    assert heard_after(mover.observed(Observed({}, {"audio": heard}), moves)) == [[60, 150]]


def test_one_event_is_heard_twice_where_two_are_seen():
    assert by_piece(onsets_at(80), onsets_at(40, 152)) == ([[-5, 9]], [40, 152])


def test_an_event_too_many_is_moved_away():
    assert by_piece(onsets_at(60, 150), onsets_at(60))[1] == [60]


def test_pieces_that_are_in_sync_stay_together():
    assert by_piece(onsets_at(52, 132), onsets_at(60, 140))[0] == [[1, 1]]


def test_nothing_moves_further_than_allowed():
    assert best(onsets_at(140), onsets_at(100), longest=0.4)["audio"].tolist() == [-5]
    assert best(onsets_at(170), onsets_at(70), longest=0.4)["audio"].tolist() == [0]
    # A move by more than half of the length would be another move in the other direction.
    assert best(onsets_at(10), onsets_at(194), longest=60.0)["audio"].tolist() == [-2]
    shifts, _ = by_piece(onsets_at(40, 120), onsets_at(80, 190), longest=0.4)
    assert max(map(abs, shifts[0])) <= 5


def test_every_sample_moves_by_itself():
    seen = onsets_at(60, 160)
    moves = best(torch.cat([seen, onsets_at(20, 120), onsets_at()]), seen)
    assert moves["audio"].tolist() == [0, 5, 0]


def test_latents_move_as_their_pieces_do_and_are_faded_where_these_part():
    mover = mover_of()
    latents = torch.arange(2 * FRAMES, dtype=torch.float32).view(2, 1, FRAMES, 1)
    shifts = {"audio": torch.tensor([[3, 3], [2, -4]])}
    state = mover.moved(State({"audio": latents}, {}, {"audio": latents.clone()}), shifts, 8)
    together, apart = state.latents["audio"]
    assert torch.equal(together, latents[0].roll(3, 1)), "pieces that move alike have no seam"
    assert torch.equal(apart[:, :8], latents[1].roll(2, 1)[:, :8])
    assert torch.equal(apart[:, -8:], latents[1].roll(-4, 1)[:, -8:])
    faded = apart[0, 11:13, 0]
    assert ((faded > latents[1].roll(2, 1)[0, 11:13, 0]) & (faded < latents[1].roll(-4, 1)[0, 11:13, 0])).all()
    torch.testing.assert_close(state.clean["audio"], state.latents["audio"])


def test_a_stream_that_does_not_move_stays_beside_one_that_does():
    mover = mover_of()
    latents = {"audio": torch.randn(1, 1, FRAMES, 1), "video": torch.randn(1, 4, 16, 2, 2)}
    state = mover.moved(State(latents, {}, latents), {"audio": torch.tensor([[2, -4]])}, 8)
    assert torch.equal(state.latents["video"], latents["video"])
    assert not torch.equal(state.latents["audio"], latents["audio"])


@pytest.mark.parametrize(
    "changes",
    [{"movable_streams": ()}, {"segments": (Interval(0, 1), Interval(1, None))}, {"movable_streams": ("video",)}],
)
def test_what_a_generator_ties_to_a_moment_stays(changes):
    assert best(onsets_at(160), onsets_at(120), **changes) == {}


def test_without_a_move_a_state_stays():
    assert best(onsets_at(160), onsets_at(120), longest=0.0) == {}
    mover, state = mover_of(onsets_at(120)), State(CLEAN, {}, CLEAN)
    nothing = Observed({}, {})
    assert mover.best(nothing) == {}
    assert mover.moved(state, mover.by_piece(nothing, {}), 8) is state


def test_a_move_is_told_in_seconds():
    mover = mover_of()

    def words(shift):
        return mover.words({"audio": torch.tensor([shift])})

    assert words(3) == ", +0.24 s" and words(-1) == ", -0.08 s"
    assert words(0) == "" == mover.words({})


def test_the_chosen_candidate_brings_its_own_moves():
    onsets = [torch.cat([onsets_at(1), onsets_at(2)]), torch.cat([onsets_at(3), onsets_at(4)])]
    moves = [{"audio": torch.tensor(each)} for each in ([1, 2], [3, 4])]
    observed, found = picked([Observed({}, {"audio": each}) for each in onsets], moves, torch.tensor([1, 0]))
    assert found["audio"].tolist() == [3, 2] and heard_after(observed) == [[3], [2]]
    assert picked([Observed({}, {})] * 2, [{}, {}], torch.tensor([1, 0])) == (Observed({}, {}), {})


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

    def steps(audio_shift):
        timing, reported = Comparison(audio_timing_weight=10.0), []
        generate(
            denoiser,
            denoiser.prompts(["a dog"]),
            seed=0,
            binder=binder,
            conditions=conditions,
            rule=Search(candidates={"audio": 2}, comparison=timing, audio_shift=audio_shift),
            on_step=reported.append,
        )
        return reported

    def choice(audio_shift):
        return next(step for step in steps(audio_shift) if step.tried)

    still, shifted = choice(0.0), choice(0.5)
    assert not any(" s" in take.label for take in still.tried)
    chosen = shifted.tried[shifted.chosen].label
    assert (
        chosen.endswith(" s")
        and shifted.alignment.synchrony["audio ~ text"] > still.alignment.synchrony["audio ~ text"]
    )
    frames = round(float(chosen.split(", ")[1].split()[0]) * shifted.clean["audio"].shape[2])
    estimates = [step.clean["audio"] for step in steps(0.0) if step.index == 1 and not step.tried]
    assert any(torch.equal(estimate.roll(frames, 2), shifted.clean["audio"]) for estimate in estimates)


def test_a_shift_that_cannot_work_is_refused():
    for shift in (-0.1, float("nan"), float("inf")):
        with pytest.raises(AlignerError, match="audio_shift must be 0 seconds or more"):
            Search(audio_shift=shift)
