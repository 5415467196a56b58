"""The objective: a weighted sum of distances, and what each side shows the other."""

import pytest
import torch

from aligner.binders.base import Embedding
from aligner.conditions.condition import Condition
from aligner.guidance.distances import COMPARISONS
from aligner.guidance.objective import Alignment, Objective
from aligner.guidance.pairs import Pair, pairs

EAST, NORTH = torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[0.0, 1.0]]])


def seen(clips, modality, **heads):
    return Embedding(clips, None, modality, "binder", heads)


def _objective(streams, conditions, compare="mean"):
    given = {label: Condition(embedding, weight) for label, (embedding, weight) in conditions.items()}
    targets = {label: condition.embedding for label, condition in given.items()}
    return Objective(lambda signal, binder: signal, targets, pairs(streams, given), compare)


def test_the_loss_is_the_weighted_sum_of_distances():
    objective = _objective(["audio"], {"same": (seen(EAST, "text"), 2.0), "other": (seen(NORTH, "text"), -0.5)})
    alignment = objective({"audio": seen(EAST, "audio")})
    assert alignment.loss.item() == pytest.approx(2.0 * 0 - 0.5 * 1)
    assert {label: score.item() for label, score in alignment.scores.items()} == {"audio ~ same": 1, "audio ~ other": 0}
    assert alignment.overall.item() == pytest.approx((2.0 * 1 - 0.5 * 0) / 2.5)


def test_what_repels_counts_as_far_as_it_is_resembled():
    """The opposite of it is no better than anything unlike it."""
    objective = _objective(["audio"], {"avoided": (seen(EAST, "text"), -1.0)})
    like, unlike, opposite = (objective({"audio": seen(clips, "audio")}) for clips in (EAST, NORTH, -EAST))
    assert [each.loss.item() for each in (like, unlike, opposite)] == pytest.approx([0.0, -1.0, -1.0])
    assert [each.overall.item() for each in (like, unlike, opposite)] == pytest.approx([-1.0, 0.0, 0.0])
    assert opposite.scores["audio ~ avoided"].item() == pytest.approx(-1.0), "the cosine itself is not cut"


@pytest.mark.parametrize("compare", list(COMPARISONS))
def test_each_side_is_asked_towards_the_modality_of_the_other(compare):
    """Sound and text meet in heads of another width, sound and picture in the common space."""
    sound = seen(EAST, "audio", text=torch.tensor([[[0.0, 0.0, 1.0]]]))
    text = seen(NORTH, "text", audio=torch.tensor([[[0.0, 1.0, 1.0]]]), video=EAST)
    objective = _objective(["audio"], {"text": (text, 1.0), "image": (seen(NORTH, "image"), 1.0)}, compare)
    scores = objective({"audio": sound}).scores
    assert scores["audio ~ text"].item() == pytest.approx(0.5**0.5) and scores["audio ~ image"].item() == 0


def test_generated_streams_are_asked_towards_each_other():
    objective = Objective(lambda signal, binder: signal, {}, [Pair("video", "audio", given=False)])
    video, sound = seen(EAST, "video", audio=NORTH), seen(EAST, "audio", text=EAST)
    assert objective({"video": video, "audio": sound}).scores["video ~ generated audio"].item() == 0
    sound = seen(EAST, "audio", video=NORTH)
    assert objective({"video": video, "audio": sound}).scores["video ~ generated audio"].item() == 1


def test_the_gradient_flows_through_the_head_that_is_compared():
    head, clips = EAST.clone().requires_grad_(), EAST.clone().requires_grad_()
    objective = _objective(["audio"], {"text": (seen(NORTH, "text"), 1.0)})
    objective({"audio": seen(clips, "audio", text=head)}).loss.sum().backward()
    assert head.grad.any() and clips.grad is None


def test_only_streams_that_a_pair_compares_are_embedded():
    asked = []
    objective = Objective(
        lambda signal, binder: asked.append(signal) or seen(EAST, signal),
        {"text": seen(EAST, "text")},
        [Pair("audio", "text")],
    )
    assert set(objective.observed({"audio": "audio", "video": "video"}).embeddings) == {"audio"} == objective.compared
    assert asked == ["audio"]


def test_where_all_weights_are_0_all_pairs_count_alike():
    scores = {"one": torch.tensor([1.0]), "two": torch.tensor([0.5])}
    assert Alignment(torch.zeros(1), scores, {"one": 0.0, "two": 0.0}).overall.item() == 0.75
