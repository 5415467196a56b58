"""The towers against the reference implementation, and what they promise besides."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from aligner.binders.imagebind import HUGE, ImageBind
from aligner.binders.imagebind.official_names import (
    OTHER_MODALITIES,
    official_name,
    official_state_dict,
)
from aligner.binders.imagebind.tokenizer import tokenize
from aligner.errors import AlignerError
from laboratory.random_imagebind import random_imagebind

INPUTS = {
    "image": ("vision", (2, 3, 1, 224, 224)),
    "clip": ("vision", (2, 3, 2, 224, 224)),
    "sound": ("audio", (3, 1, 128, 204)),
}


@pytest.mark.parametrize("kind", INPUTS)
def test_outputs_and_gradients_equal_the_reference(kind, model, reference_model, normal, relative_error):
    modality, shape = INPUTS[kind]
    x = normal(*shape).requires_grad_()
    ours = getattr(model, modality)(x)
    theirs = reference_model({modality: x.unsqueeze(1)})[modality]
    assert relative_error(ours, theirs) < 1e-5

    direction = normal(*ours.shape)
    (our_gradient,) = torch.autograd.grad((ours * direction).sum(), x)
    (their_gradient,) = torch.autograd.grad((theirs * direction).sum(), x)
    assert relative_error(our_gradient, their_gradient) < 1e-4


def test_text_equals_the_reference(model, reference_model, relative_error):
    ids = tokenize(["rain on a window", "", "dog " * 200])
    assert relative_error(model.text(ids), reference_model({"text": ids})["text"]) < 1e-5


def test_names_and_shapes_equal_the_published_model_at_full_size(reference, monkeypatch):
    # The reference reads its drop-path rates out of a tensor, which the meta device cannot do.
    monkeypatch.setattr(torch, "linspace", partial(torch.linspace, device="cpu"))
    with torch.device("meta"):
        ours = official_state_dict(ImageBind(HUGE))
        theirs = reference.model.imagebind_huge().state_dict()
    assert len(theirs) == 1311
    towers = {name: tensor.shape for name, tensor in theirs.items() if not name.startswith(OTHER_MODALITIES)}
    assert {name: tensor.shape for name, tensor in ours.items()} == towers


def test_norms_divide_as_the_reference_does(model, reference_model):
    """An eps hardly shows in outputs, so it is compared by itself."""

    def eps(network, name=lambda key: key):
        return {
            name(f"{key}.weight"): module.eps
            for key, module in network.named_modules()
            if isinstance(module, torch.nn.LayerNorm)
        }

    ours, theirs = eps(model, official_name), eps(reference_model)
    assert ours == {key: theirs[key] for key in theirs if not key.startswith(OTHER_MODALITIES)}


def test_the_causal_mask_equals_the_reference(model, reference_model):
    name = "modality_preprocessors.text.mask"
    assert torch.equal(official_state_dict(model)[name], reference_model.state_dict()[name])


def test_full_size_has_the_published_number_of_weights():
    with torch.device("meta"):
        model = ImageBind(HUGE)
    assert [
        round(sum(weight.numel() for weight in tower.parameters()) / 1e6, 1)
        for tower in (model.vision, model.text, model.audio)
    ] == [632.8, 354.0, 86.2]


def test_lengths_of_embeddings_are_the_towers_scales(model, normal):
    assert torch.allclose(model.vision(normal(2, 3, 1, 224, 224)).norm(dim=-1), torch.ones(2))
    assert torch.allclose(model.audio(normal(2, 1, 128, 204)).norm(dim=-1), torch.full((2,), 20.0))
    assert torch.allclose(model.text(tokenize(["a", "b"])).norm(dim=-1), torch.full((2,), 20.0))


def test_the_learned_scale_is_limited_to_100(small_config):
    model = random_imagebind(small_config, seed=0)
    model.text.log_scale.fill_(10.0)
    assert torch.allclose(model.text(tokenize(["a"])).norm(dim=-1), torch.tensor(100.0))


@pytest.mark.parametrize("dtype, bound", [(torch.float16, 0.01), (torch.bfloat16, 0.08)])
def test_half_precision_returns_nearly_the_same_in_float32(small_config, model, normal, relative_error, dtype, bound):
    half = random_imagebind(small_config, seed=0).to(dtype)
    ids = tokenize(["a dog barks"])
    assert half.text(ids).dtype == torch.float32
    assert relative_error(half.text(ids), model.text(ids)) < bound
    for modality, shape in INPUTS.values():
        x = normal(*shape).requires_grad_()
        actual, expected = getattr(half, modality)(x), getattr(model, modality)(x)
        assert actual.dtype == torch.float32
        assert relative_error(actual, expected) < bound
        (gradient,) = torch.autograd.grad(actual[:, 0].sum(), x)
        assert gradient.dtype == torch.float32 and gradient.isfinite().all() and gradient.any()


def test_float64_stays_float64(small_config, normal):
    exact = random_imagebind(small_config, seed=0).double()
    assert exact.audio(normal(1, 1, 128, 204).double()).dtype == torch.float64


def test_only_the_input_gets_a_gradient(model, normal):
    assert not any(weight.requires_grad for weight in model.parameters())
    assert not model.training
    assert not model.vision(normal(1, 3, 1, 224, 224)).requires_grad


def test_backward_costs_hardly_more_than_forward(model, normal):
    """With frozen weights there is one product backward for every product forward, not two."""
    x = normal(1, 1, 128, 204).requires_grad_()
    with FlopCounterMode(display=False) as forward:
        embedding = model.audio(x)
    with FlopCounterMode(display=False) as backward:
        embedding.sum().backward()
    # Attention itself is recomputed: its backward pass has 5 products to 2.
    assert backward.get_total_flops() < 1.5 * forward.get_total_flops()


def test_the_last_block_computes_the_class_token_only(model, normal):
    """The shortcut changes nothing: the whole block gives the same first token."""
    block, tokens = model.audio.blocks[-1], normal(2, 229, 40)
    torch.testing.assert_close(block(tokens, rows=1), block(tokens)[:, :1])


def test_a_tower_works_alone(model, normal):
    tower = model.audio
    assert tower.dtype == torch.float32 and tower.device.type == "cpu"
    assert {name.split(".")[0] for name, _ in model.named_parameters()} == {"vision", "text", "audio"}
    assert len(model.blocks()) == len(model.vision.blocks) + len(model.text.blocks) + len(model.audio.blocks)


@pytest.mark.parametrize(
    "modality, shape, spelled",
    [
        ("vision", (1, 3, 3, 224, 224), "(N, 3, 1 or 2, 224, 224)"),
        ("vision", (1, 3, 224, 224), "(N, 3, 1 or 2, 224, 224)"),
        ("audio", (1, 128, 204), "(N, 1, 128, 204)"),
        ("text", (1, 76), "(N, 77)"),
    ],
)
def test_other_shapes_are_refused(model, modality, shape, spelled):
    with pytest.raises(AlignerError) as caught:
        getattr(model, modality)(torch.zeros(shape))
    assert spelled in str(caught.value) and str(shape) in str(caught.value)


def test_random_weights_depend_on_the_seed_alone(small_config, model):
    torch.manual_seed(1)
    again, other = random_imagebind(small_config, seed=0), random_imagebind(small_config, seed=1)
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name])
        assert torch.equal(weight, other.state_dict()[name]) == name.endswith("log_scale")


def test_random_embeddings_differ_between_inputs(model, normal):
    def cosine(tower, x, y):
        return torch.nn.functional.cosine_similarity(tower(x), tower(y)).item()

    rising = torch.linspace(-2, 2, 204).expand(1, 1, 128, 204)
    red, blue = (
        torch.tensor(colour).view(1, 3, 1, 1, 1).expand(1, 3, 1, 224, 224) for colour in ([2.0, -1, -1], [-1, -1, 2.0])
    )
    assert cosine(model.audio, rising, normal(1, 1, 128, 204)) < 0.95
    assert cosine(model.vision, red, blue) < 0.95
    assert cosine(model.text, tokenize(["a dog"]), tokenize(["rain on a window"])) < 0.95


#: How many patches a tower looks at, a part of them, and where an input may change outside of that part. A picture
#: keeps the upper eight of 16 rows, so that its lower half may change. A sound keeps the first nine of 19 patches of
#: each of 12 rows, each 16 frames long and 10 after the last, so that its end may change.
PATCHES = {"image": 256, "clip": 256, "sound": 12 * 19}
PART = {
    "image": torch.arange(128),
    "clip": torch.arange(128),
    "sound": (torch.arange(12)[:, None] * 19 + torch.arange(9)).flatten(),
}
UNSEEN = {
    "image": (..., slice(112, None), slice(None)),
    "clip": (..., slice(112, None), slice(None)),
    "sound": (..., slice(96, None)),
}


def kept(kind: str, rows: int) -> torch.Tensor:
    return PART[kind].expand(rows, -1)


@pytest.mark.parametrize("kind", INPUTS)
def test_keeping_all_patches_in_any_order_changes_nothing(kind, model, normal):
    modality, shape = INPUTS[kind]
    tower, x = getattr(model, modality), normal(*shape)
    for order in (torch.arange(PATCHES[kind]), torch.arange(PATCHES[kind]).flip(0)):
        torch.testing.assert_close(tower(x, keep=order.expand(len(x), -1)), tower(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", INPUTS)
def test_patches_that_are_not_kept_are_not_looked_at(kind, model, normal):
    modality, shape = INPUTS[kind]
    tower, x, keep = getattr(model, modality), normal(*shape), kept(kind, shape[0])
    changed = x.clone()
    changed[UNSEEN[kind]] += 5
    assert torch.equal(tower(changed, keep=keep), tower(x, keep=keep))
    assert (tower(changed) - tower(x)).abs().max() > 1e-3
    assert (tower(x, keep=keep) - tower(x)).abs().max() > 1e-3


@pytest.mark.parametrize("kind", INPUTS)
def test_only_kept_patches_get_a_gradient(kind, model, normal):
    modality, shape = INPUTS[kind]
    x = normal(*shape).requires_grad_()
    getattr(model, modality)(x, keep=kept(kind, shape[0]))[:, 0].sum().backward()
    unseen = torch.zeros(shape, dtype=torch.bool)
    unseen[UNSEEN[kind]] = True
    assert not x.grad[unseen].any()
    assert (x.grad[~unseen] != 0).float().mean() > 0.98  # two of 128 mel bins lie in no patch


@pytest.mark.parametrize("kind", ["clip", "sound"])
def test_each_row_keeps_its_own_patches(kind, model, normal):
    modality, shape = INPUTS[kind]
    tower, x = getattr(model, modality), normal(*shape)[:2]
    keep = torch.stack([PART[kind], PART[kind].flip(0) + 1])
    alone = torch.cat([tower(x[k : k + 1], keep=keep[k : k + 1]) for k in range(2)])
    torch.testing.assert_close(tower(x, keep=keep), alone, rtol=1e-4, atol=1e-5)
    assert (tower(x, keep=keep)[1] - tower(x, keep=keep.flip(0))[1]).abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["clip", "sound"])
def test_what_is_not_kept_costs_nothing(kind, model, normal):
    modality, shape = INPUTS[kind]
    costs = []
    for keep in (kept(kind, shape[0]), None):
        with FlopCounterMode(display=False) as counted:
            getattr(model, modality)(normal(*shape), keep=keep)
        costs.append(counted.get_total_flops())
    assert costs[0] < 0.6 * costs[1]
