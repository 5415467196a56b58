"""Embeddings: clips, times, and heads towards other modalities."""

import pytest
import torch

from aligner.binders.base import Embedding, concatenated

CLIPS, HEAD = torch.arange(12.0).view(2, 3, 2), torch.arange(24.0).view(2, 3, 4)
SPANS = ((0.0, 1.0), (1.0, 2.0), (2.0, 3.0))


@pytest.fixture
def embedding():
    return Embedding(CLIPS, SPANS, "audio", "binder", {"text": HEAD})


def test_an_embedding_is_asked_towards_a_modality(embedding):
    towards = embedding.towards("text")
    assert torch.equal(towards.clips, HEAD) and torch.equal(embedding.clips, CLIPS)
    assert (towards.spans, towards.modality, towards.binder) == (SPANS, "audio", "binder")


def test_without_a_head_it_is_the_same_towards_all(embedding):
    assert embedding.towards("video") is embedding


def test_a_mean_over_clips_may_be_weighted(embedding):
    assert torch.equal(embedding.mean(), CLIPS.mean(dim=1))
    assert torch.equal(embedding.mean(torch.tensor([1.0, 0.0, 1.0])), (CLIPS[:, 0] + CLIPS[:, 2]) / 2)


def test_a_function_is_applied_to_clips_and_heads(embedding):
    doubled = embedding.mapped(lambda clips: 2 * clips)
    assert torch.equal(doubled.clips, 2 * CLIPS) and torch.equal(doubled.heads["text"], 2 * HEAD)


@pytest.mark.parametrize("dim", [0, 1])
def test_embeddings_are_joined_with_their_heads(embedding, dim):
    joined = concatenated([embedding, embedding.mapped(torch.neg)], dim)
    assert torch.equal(joined.clips, torch.cat([CLIPS, -CLIPS], dim))
    assert torch.equal(joined.heads["text"], torch.cat([HEAD, -HEAD], dim))
    assert joined.binder == "binder"
