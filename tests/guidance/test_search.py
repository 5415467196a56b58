"""Search follows several noises and goes on with the one that aligns best, sample by sample."""

from dataclasses import replace

import pytest
import torch

from aligner.conditions.encoding import text_condition
from aligner.errors import AlignerError
from aligner.generation import generate
from aligner.generators.joint import JointDenoiser
from aligner.generators.signals import Sound
from aligner.guidance.choosing import ranking
from aligner.guidance.gradient import Released
from aligner.guidance.objective import Comparison, Objective
from aligner.guidance.rule import Run, Unguided
from aligner.guidance.search import Search
from aligner.plan import make_plan
from aligner.sampling import sample
from aligner.timing.clips import CLIP_SAMPLINGS

STEPS, TRIED = 5, 4
UPSTREAM = Comparison(clips="spread")


@pytest.fixture
def denoiser(audioldm):
    return audioldm.denoiser(seconds=0.6, steps=STEPS)


@pytest.fixture
def conditions(binder):
    return [text_condition(binder, "a dog barks")]


def _run(denoiser, binder, conditions, batch=1, seed=3, on_step=lambda step: None, **settings):
    return generate(
        denoiser,
        denoiser.prompts(["a dog"] * batch),
        seed=seed,
        batch=batch,
        binder=binder,
        conditions=conditions,
        rule=Search(**settings),
        on_step=on_step,
    )


def _run_rule(denoiser, binder, conditions, rule):
    prompts = denoiser.prompts(["a dog"])
    return generate(denoiser, prompts, seed=3, binder=binder, conditions=conditions, rule=rule)


def _noises(denoiser, seed):
    generator = torch.Generator().manual_seed(seed)
    return [denoiser.start([generator])["audio"] for _ in range(TRIED)]


def _followed(denoiser, noise, steps):
    """The clean estimate after some plain steps, and the latent."""
    z, y = {"audio": noise}, denoiser.prompts(["a dog"])
    with torch.no_grad():
        for index in range(steps):
            output = denoiser.predict(z, y, index)
            clean, z = denoiser.x0(z, output, index), denoiser.step(z, output, index)
    return clean, z["audio"]


def test_the_best_candidate_goes_on_and_nothing_else_is_changed(denoiser, binder, conditions):
    result = _run(denoiser, binder, conditions, candidates={"audio": TRIED}, at=0.6)
    noises, scores = _noises(denoiser, seed=3), []
    for noise in noises:
        clean, _ = _followed(denoiser, noise, steps=3)
        with torch.no_grad():
            embedding = denoiser.render(clean)["audio"].embed(binder, CLIP_SAMPLINGS["short"])
        scores.append(torch.nn.functional.cosine_similarity(embedding.mean(), conditions[0].embedding.mean()).item())
    assert len(set(scores)) == TRIED
    ((label, tried),) = result.tried.items()
    assert [score for _, score in tried] == pytest.approx(scores, abs=1e-5), label
    best = noises[max(range(TRIED), key=scores.__getitem__)]
    torch.testing.assert_close(result.latents["audio"], _followed(denoiser, best, steps=STEPS)[1], atol=1e-5, rtol=0)


def test_every_sample_has_its_own_choice(denoiser, binder, conditions):
    together = _run(denoiser, binder, conditions, batch=3, candidates={"audio": TRIED}).latents["audio"]
    alone = [
        _run(denoiser, binder, conditions, seed=3 + k, candidates={"audio": TRIED}).latents["audio"] for k in range(3)
    ]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-3, rtol=0)


def test_streams_are_chosen_for_each_other(audioldm, animatediff, binder):
    """Two generators, three noises each: the pair that prefers each other most is one of nine."""
    couple = JointDenoiser(
        [
            animatediff.denoiser(frames=2, height=64, width=64, fps=4, steps=STEPS),
            audioldm.denoiser(seconds=0.5, steps=STEPS),
        ]
    )
    assert couple.coupled_streams == (("video",), ("audio",))
    rule = Search(candidates={"video": 3, "audio": 3}, at=0.9, audio_shift=0.0)
    prompts = couple.prompts(["a dog", "a dog"])
    scope = make_plan(rule, couple, binder).scope
    objective = scope.objective(rule)
    starts = [couple.start([torch.Generator().manual_seed(2 * k + row) for row in range(2)]) for k in range(3)]

    def plainly(start, on_step=lambda step: None):
        return sample(Unguided(), Run(scope, lambda: start, on_step, STEPS), start, prompts)

    estimates = []
    for start in starts:
        cleans = []
        plainly(start, lambda step: cleans.append(step.clean))
        estimates.append(cleans[rule.choice(STEPS) - 1])
    with torch.no_grad():
        losses = {
            (a, b): objective(couple.render({"video": estimates[a]["video"], "audio": estimates[b]["audio"]})).loss
            for a in range(3)
            for b in range(3)
        }
    others = iter(starts[1:])
    run = Run(scope, lambda: next(others), lambda step: None, rule.passes(scope))
    chosen = sample(rule, run, starts[0], prompts).latents
    finals = [plainly(start).latents for start in starts]
    fits = -torch.stack(list(losses.values())).reshape(3, 3, 2) / 0.1
    preferred = (fits.softmax(dim=0).log() + fits.softmax(dim=1).log()).flatten(0, 1)
    pairs = [list(losses)[best] for best in preferred.argmax(dim=0).tolist()]
    for row, pair in enumerate(pairs):
        for name, candidate in zip(("video", "audio"), pair):
            torch.testing.assert_close(chosen[name][row], finals[candidate][name][row], atol=1e-3, rtol=1e-4)
    assert any(a != b for a, b in pairs), "other noises should have shown that streams are chosen apart"


def test_one_candidate_is_the_rule_that_follows(denoiser, binder, conditions):
    searched, alone = (
        generate(denoiser, denoiser.prompts(["a dog"]), seed=3, binder=binder, conditions=conditions, rule=rule)
        for rule in (Search(candidates={"audio": 1}, then=Released()), Released())
    )
    assert torch.equal(searched.latents["audio"], alone.latents["audio"])


@pytest.mark.parametrize("rates", [{"audio": 0.1}, {"audio": 0.05}])
def test_what_follows_is_the_other_rule_from_the_chosen_latents(denoiser, binder, conditions, rates):
    """Search until the choice, then Released by its own comparison: the two runs one after the other, to the bit."""
    search, released = Search(candidates={"audio": TRIED}, at=0.4), Released(rates=rates, start=0.0)
    rule = replace(search, then=released)
    assert rule.comparison != released.comparison
    together = _run_rule(denoiser, binder, conditions, rule)
    scope, drawn = make_plan(rule, denoiser, binder, conditions).scope, iter(_noises(denoiser, seed=3))
    run = Run(scope, lambda: {"audio": next(drawn)}, lambda step: None, rule.passes(scope))
    state = search.begin(run, run.draw(), denoiser.prompts(["a dog"]))
    for index in range(STEPS):
        state = (search if index < 2 else released).step(run, state, index)
    assert torch.equal(together.latents["audio"], state.latents["audio"])


def test_each_phase_compares_by_its_own_comparison(denoiser, binder, conditions, monkeypatch):
    used, alignment = [], Objective.alignment

    def recording(self, *arguments, **settings):
        used.append(self.compare)
        return alignment(self, *arguments, **settings)

    monkeypatch.setattr(Objective, "alignment", recording)
    _run_rule(denoiser, binder, conditions, Search(candidates={"audio": 2}, at=0.4, then=Released(start=0.0)))
    # Two candidates at the choice, three guided steps, and the score of the result, which is the search's.
    assert used == ["per_clip"] * 2 + ["mean"] * 3 + ["per_clip"]


def test_every_candidate_takes_its_steps_before_the_choice(denoiser, binder, conditions):
    def chosen(candidates):
        seen = []
        _run(
            denoiser,
            binder,
            conditions,
            candidates={"audio": candidates},
            at=0.9,
            on_step=lambda step: seen.append(step),
        )
        return len([step for step in seen if not step.tried])

    assert chosen(4) == 4 * 4 + 1 and chosen(2) == 2 * 4 + 1


def test_progress_counts_the_steps_of_all_candidates(denoiser, binder, conditions):
    passed = []
    generate(
        denoiser,
        denoiser.prompts(["a dog"]),
        seed=3,
        binder=binder,
        conditions=conditions,
        rule=Search(candidates={"audio": 3}, at=0.4, then=Released()),
        on_step=lambda step: passed.append(step.passed),
    )
    # Three times two steps, the choice, which is no step, and the last three steps.
    assert passed == pytest.approx([number / 9 for number in (1, 2, 3, 4, 5, 6, 6, 7, 8, 9)])


def test_it_is_the_same_every_time(denoiser, binder, conditions):
    one, two = (_run(denoiser, binder, conditions, batch=2, candidates={"audio": 3}).latents["audio"] for _ in range(2))
    assert torch.equal(one, two)


def test_only_what_is_tried_more_often_is_followed_more_often(audioldm, animatediff, binder):
    """Five sounds and two clips make ten pairs; the best pair goes on."""
    couple = JointDenoiser(
        [
            animatediff.denoiser(frames=2, height=64, width=64, fps=4, steps=STEPS),
            audioldm.denoiser(seconds=0.5, steps=STEPS),
        ]
    )
    seen = []
    result = generate(
        couple,
        couple.prompts(["a dog"]),
        seed=1,
        binder=binder,
        rule=Search(candidates={"video": 2, "audio": 5}, at=0.4),
        on_step=seen.append,
    )
    (choice,) = [step for step in seen if step.tried]
    assert len(choice.tried) == 10 and len(seen) == 5 * 2 + 1 + 3
    assert [(step.candidate, step.candidates) for step in seen] == [(k, 5) for k in range(5)] * 2 + [(0, 1)] * 4
    assert choice.alignment.loss == min(take.alignment.loss for take in choice.tried)
    assert all(set(step.clean) == {"video", "audio"} for step in seen), "a preview would miss a stream"
    (tried,), (curve,) = result.tried.values(), result.curves.values()
    assert len(tried) == 10 and curve[0] in tried and [step for step, _ in curve] == [2, STEPS]
    assert result.signals["video"].pixels.shape[1] == 2


def test_the_same_sounds_are_tried_whatever_else_is(audioldm, animatediff, binder):
    """A stream's noises do not depend on how many another stream tries."""
    couple = JointDenoiser(
        [animatediff.denoiser(frames=1, height=64, width=64, fps=2, steps=2), audioldm.denoiser(seconds=0.5, steps=2)]
    )
    target = [replace(text_condition(binder, "a dog barks"), streams=("audio",))]
    sounds = [
        generate(
            couple,
            couple.prompts(["a dog"]),
            seed=1,
            binder=binder,
            pair_weight=0.0,
            conditions=target,
            rule=Search(candidates={"audio": 4, "video": number}),
        ).latents["audio"]
        for number in (1, 6)
    ]
    torch.testing.assert_close(*sounds)


@pytest.mark.parametrize("order", [0, 1])
def test_no_candidate_of_any_stream_has_another_ones_noise(audioldm, animatediff, order):
    """The larger latent of a video would otherwise begin with what the last candidate ended with, moved along."""
    denoisers = [
        animatediff.denoiser(frames=4, height=64, width=64, fps=8, steps=2),
        audioldm.denoiser(seconds=0.5, steps=2),
    ]
    couple, draw = JointDenoiser(denoisers[::-1] if order else denoisers), [torch.Generator().manual_seed(7)]
    noises = [couple.start(draw) for _ in range(3)]
    for stream in couple.streams:
        values = torch.cat([noise[stream].flatten() for noise in noises])
        assert len(values.unique()) > 0.99 * len(values), stream
    alone = denoisers[0].start([torch.Generator().manual_seed(7)])["video"]
    assert torch.equal(noises[0]["video"], alone)


def test_what_nothing_compares_is_not_tried_twice(audioldm, animatediff, binder):
    couple = JointDenoiser(
        [animatediff.denoiser(frames=1, height=64, width=64, fps=2, steps=2), audioldm.denoiser(seconds=0.5, steps=2)]
    )
    target, seen = [replace(text_condition(binder, "a dog barks"), streams=("audio",))], []
    generate(
        couple,
        couple.prompts(["a dog"]),
        seed=1,
        binder=binder,
        pair_weight=0.0,
        conditions=target,
        rule=Search(candidates={"audio": 2, "video": 6}),
        on_step=seen.append,
    )
    assert [len(step.tried) for step in seen if step.tried] == [2]


def test_a_choice_that_nothing_compares_is_an_error(audioldm, animatediff, binder):
    couple = JointDenoiser(
        [animatediff.denoiser(frames=1, height=64, width=64, fps=2, steps=2), audioldm.denoiser(seconds=0.5, steps=2)]
    )
    target = [replace(text_condition(binder, "a dog barks"), streams=("audio",))]
    with pytest.raises(AlignerError, match="tries several noises for video, but compares only audio"):
        generate(
            couple,
            couple.prompts(["a dog"]),
            seed=1,
            binder=binder,
            pair_weight=0.0,
            conditions=target,
            rule=Search(candidates={"video": 6}),
        )


def test_what_would_move_only_before_the_choice_is_an_error(denoiser, binder, conditions):
    then = Released(start=0.0, end=0.4)
    with pytest.raises(AlignerError, match="within its window after the choice are: none"):
        _run(denoiser, binder, conditions, candidates={"audio": 2}, at=0.4, then=then)
    _run(denoiser, binder, conditions, candidates={"audio": 2}, at=0.2, then=then)


def test_a_candidate_that_is_not_finite_is_an_error_and_no_winner(denoiser, binder, conditions, monkeypatch):
    alignment = Objective.alignment

    def overflown(self, *arguments):
        return replace(found := alignment(self, *arguments), loss=found.loss * float("nan"))

    monkeypatch.setattr(Objective, "alignment", overflown)
    with pytest.raises(AlignerError, match="not finite"):
        _run(denoiser, binder, conditions, candidates={"audio": 2})


def test_refused_candidates_are_taken_only_where_all_are_refused():
    losses = torch.tensor([[0.3, 0.1], [0.1, 0.2], [0.2, 0.3]])
    refused = torch.tensor([[True, True], [True, False], [True, False]])
    assert ranking(list(losses), list(refused)).tolist() == [[1, 1], [2, 2], [0, 0]]


def test_a_silent_sound_loses_in_every_pair(animatediff, audioldm, binder, monkeypatch):
    """Whatever video it is tried with."""
    couple = JointDenoiser(
        [animatediff.denoiser(frames=1, height=64, width=64, fps=2, steps=2), audioldm.denoiser(seconds=0.5, steps=2)]
    )
    silent, seen = iter([True, True, False]), []
    monkeypatch.setattr(Sound, "silent", property(lambda sound: torch.tensor([next(silent)])))
    generate(
        couple,
        couple.prompts(["a scene"]),
        seed=0,
        binder=binder,
        on_step=seen.append,
        rule=Search(candidates={"video": 2, "audio": 3}),
    )
    (choice,) = [step for step in seen if step.tried]
    losses = torch.cat([take.alignment.loss for take in choice.tried]).reshape(2, 3)
    assert choice.alignment.loss == losses[:, 2].min()


def test_what_is_silent_is_passed_over(denoiser, binder, conditions, monkeypatch):
    def chosen(silent):
        calls, seen = iter(range(TRIED)), []
        monkeypatch.setattr(Sound, "silent", property(lambda sound: torch.tensor([next(calls) in silent])))
        _run(denoiser, binder, conditions, candidates={"audio": TRIED}, on_step=seen.append)
        (choice,) = [step for step in seen if step.tried]
        losses = torch.cat([take.alignment.loss for take in choice.tried])
        assert choice.alignment.loss in losses
        return losses.argsort().tolist(), losses.argsort()[losses.sort().values == choice.alignment.loss].item()

    order, best = chosen(silent=())
    assert best == order[0]
    assert chosen(silent=order[:2]) == (order, order[2])
    assert chosen(silent=range(TRIED)) == (order, best), "where nothing is heard at all, the best of it goes on"


def test_every_segment_of_a_long_sound_is_chosen_by_itself(audioldm, binder, conditions):
    """Spliced of several noises, each for a segment of the time, and at least as near as any of them."""
    denoiser = audioldm.denoiser(seconds=6, steps=STEPS, window_seconds=2.0)
    assert len(denoiser.segments) > 2
    seen = []
    _run(denoiser, binder, conditions, candidates={"audio": TRIED}, at=0.2, on_step=seen.append)
    (choice,) = [step for step in seen if step.tried]
    followed = [step.clean["audio"] for step in seen if step.index == 0 and not step.tried][:TRIED]
    second, picked = followed[0].shape[2] / float(denoiser.seconds), []
    for part in denoiser.segments:
        # Its middle third: the ends are faded into the neighbours.
        start, end = part.start * second, min(part.until, 6) * second
        segment = slice(round((2 * start + end) / 3), round((start + 2 * end) / 3))
        same = [
            k
            for k, each in enumerate(followed)
            if torch.equal(each[:, :, segment], choice.clean["audio"][:, :, segment])
        ]
        assert len(same) == 1
        picked += same
    assert len(set(picked)) > 1, "of one noise alone it would be a choice of the whole"
    assert len(choice.tried) == TRIED


def test_segments_between_the_clips_are_an_error(audioldm, binder, conditions):
    """All candidates would be alike there, and the first would win."""
    denoiser, seen = audioldm.denoiser(seconds=20, steps=STEPS, window_seconds=2.0), []
    with pytest.raises(AlignerError, match="segment by segment, but at .* clips spread leave gaps.* short or seconds"):
        _run(denoiser, binder, conditions, candidates={"audio": 2}, comparison=UPSTREAM, on_step=seen.append)
    assert not seen
    _run(
        audioldm.denoiser(seconds=3, steps=STEPS, window_seconds=2.0),
        binder,
        conditions,
        candidates={"audio": 2},
        comparison=UPSTREAM,
    )


def test_a_short_sound_in_windows_is_as_in_one_piece(audioldm, binder, conditions):
    whole, windowed = (
        _run(
            audioldm.denoiser(seconds=1.5, steps=STEPS, window_seconds=window),
            binder,
            conditions,
            candidates={"audio": 2},
        )
        for window in (0.0, 2.0)
    )
    assert torch.equal(whole.signals["audio"].waveform, windowed.signals["audio"].waveform)
    assert torch.equal(whole.score, windowed.score)


def test_a_funnel_lets_the_best_few_go_on_and_chooses_among_them(denoiser, binder, conditions):
    seen = []
    _run(
        denoiser,
        binder,
        conditions,
        candidates={"audio": TRIED},
        at=0.6,
        funnel=[(0.2, 2)],
        on_step=seen.append,
    )
    first, second = [step for step in seen if step.tried]
    assert (first.index + 1, len(first.tried)) == (1, TRIED) and (second.index + 1, len(second.tried)) == (3, 2)
    assert len(seen) == TRIED * 1 + 1 + 2 * 2 + 1 + 2
    assert seen[-1].passed == 1
    noises, losses = _noises(denoiser, seed=3), []
    for noise in noises:
        clean, _ = _followed(denoiser, noise, steps=3)
        losses.append(clean["audio"])
    early = sorted(range(TRIED), key=lambda k: float(first.tried[k].alignment.loss))[:2]
    late = min(range(2), key=lambda k: float(second.tried[k].alignment.loss))
    torch.testing.assert_close(second.clean["audio"], losses[early[late]])


def test_a_funnel_that_keeps_nobody_out_changes_nothing(denoiser, binder, conditions):
    plain = _run(denoiser, binder, conditions, candidates={"audio": 3}, at=0.6)
    wide = _run(denoiser, binder, conditions, candidates={"audio": 3}, at=0.6, funnel=[(0.2, 3)])
    assert torch.equal(plain.latents["audio"], wide.latents["audio"])


@pytest.mark.parametrize("funnel", [[(0.5, 4)], [(0.1, 1)], [(0.2, 4), (0.1, 2)], [(0.1, 2), (0.2, 4)], [(0.1, 2.5)]])
def test_a_funnel_that_does_not_narrow_is_an_error(funnel):
    with pytest.raises(AlignerError, match="funnel"):
        Search(at=0.4, funnel=funnel)


def test_candidates_are_shown_as_they_sound(denoiser, binder, conditions):
    result = _run(denoiser, binder, conditions, candidates={"audio": 3}, at=0.6)
    assert len(result.takes) == 3 and all(len(take.pictures) == 1 for take in result.takes)
    losses = [float(take.alignment.loss) for take in result.takes]
    assert losses[result.chosen] == min(losses)
