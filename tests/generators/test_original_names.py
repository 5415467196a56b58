"""The original names at full size, without weights, compared with the converters of diffusers."""

from __future__ import annotations

import pytest
import torch

from aligner.errors import AlignerError
from aligner.generators.stable_diffusion.networks import (
    COMPONENTS,
    empty_network,
    network_class,
    published_config,
)
from aligner.generators.stable_diffusion.original_names import (
    original_motion_names,
    original_shape,
    original_text_names,
    original_unet_names,
    original_vae_names,
    same_positions,
)

NAMES = {"unet": original_unet_names, "vae": original_vae_names, "text_encoder": original_text_names}


@pytest.fixture(scope="module")
def networks():
    return {name: empty_network(network_class(name), published_config(name), "here") for name in COMPONENTS}


def original_state(network, names):
    """An original checkpoint on the meta device."""
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    return {
        original: torch.empty(original_shape(original, shapes[name]), device="meta") for name, original in names.items()
    }


@pytest.mark.parametrize(
    "name, tensors, parameters",
    [("unet", 686, 859_520_964), ("vae", 248, 83_653_863), ("text_encoder", 196, 123_060_480)],
)
def test_the_published_sizes(networks, name, tensors, parameters):
    names = NAMES[name](networks[name])
    assert len(names) == len(set(names.values())) == tensors
    assert sum(weight.numel() for weight in networks[name].parameters()) == parameters


def test_the_libraries_converters_find_every_weight_where_we_put_it(networks):
    from diffusers.loaders.single_file_utils import (
        convert_ldm_clip_checkpoint,
        convert_ldm_unet_checkpoint,
        convert_ldm_vae_checkpoint,
    )

    state = {}
    for name in COMPONENTS:
        state |= original_state(networks[name], NAMES[name](networks[name]))
    converted = {
        "unet": convert_ldm_unet_checkpoint(dict(state), dict(networks["unet"].config)),
        "vae": convert_ldm_vae_checkpoint(dict(state), dict(networks["vae"].config)),
        "text_encoder": {
            key.removeprefix("text_model."): tensor for key, tensor in convert_ldm_clip_checkpoint(dict(state)).items()
        },
    }
    for name, network in networks.items():
        expected = {key.removeprefix("text_model."): tensor.shape for key, tensor in network.state_dict().items()}
        assert {key: tensor.shape for key, tensor in converted[name].items()} == expected


@pytest.mark.parametrize(
    "positions, mid_block, parameters, tensors",
    [(24, False, 417_137_600, 560), (32, True, 453_209_280, 588), (32, False, 417_137_600, 560)],
    ids=["v1", "v2", "v3"],
)
def test_motion_modules(positions, mid_block, parameters, tensors):
    from diffusers import MotionAdapter
    from diffusers.loaders.single_file_utils import (
        convert_animatediff_checkpoint_to_diffusers,
    )

    config = {"motion_max_seq_length": positions, "use_motion_mid_block": mid_block}
    adapter = empty_network(MotionAdapter, config, "here")
    names = original_motion_names(adapter)
    copies = [copy for original in names.values() if (copy := same_positions(original))]
    assert sum(weight.numel() for weight in adapter.parameters()) == parameters
    assert len({*names.values(), *copies}) == tensors
    # diffusers computes the positions instead of reading them.
    converted = convert_animatediff_checkpoint_to_diffusers(original_state(adapter, names))
    assert {key: tensor.shape for key, tensor in converted.items()} == {
        key: tensor.shape for key, tensor in adapter.named_parameters()
    }


def test_networks_that_the_original_had_no_names_for_are_refused():
    from diffusers import UNet2DConditionModel

    config = {**published_config("unet"), "class_embed_type": "timestep"}
    with pytest.raises(AlignerError, match="no place for class_embedding"):
        original_unet_names(empty_network(UNet2DConditionModel, config, "here"))
