"""The networks of published metrics equal the packages that others use, on random weights of full size."""

import numpy as np
import pytest
import torch

from aligner.errors import AlignerError, CheckpointError
from aligner.metrics.networks.cnn14 import load_cnn14
from aligner.metrics.networks.i3d import load_i3d
from aligner.metrics.networks.vggish import load_vggish

from . import published

#: 2.5 s at 16 kHz: noise that swells, with a constant part.
SOUND = torch.randn(40_000, generator=torch.Generator().manual_seed(1)) * torch.linspace(0.001, 0.3, 40_000) + 0.05


@pytest.fixture(scope="module")
def cnn14(tmp_path_factory):
    reference = published.cnn14()
    path = tmp_path_factory.mktemp("cnn14") / "Cnn14_16k.pth"
    torch.save({"iteration": 1, "model": reference.state_dict()}, path)
    return path, reference


@pytest.fixture(scope="module")
def vggish(tmp_path_factory):
    reference, mel_features = published.vggish()
    path = tmp_path_factory.mktemp("vggish") / "vggish.pth"
    torch.save(reference.state_dict(), path)
    return path, reference, mel_features


def assert_close(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    assert ours.shape == theirs.shape and theirs.std() > 1e-3
    assert (ours - theirs).abs().max() <= 1e-4 * theirs.abs().max()


@torch.inference_mode()
def test_cnn14_equals_panns(cnn14):
    path, reference = cnn14
    logits = []
    reference.fc_audioset.register_forward_hook(lambda module, given, result: logits.append(result))
    theirs = reference(SOUND[None])["embedding"]
    ours = load_cnn14(path)(SOUND[None])
    assert_close(ours.embedding, theirs)
    assert_close(ours.logits, logits[0])


@torch.inference_mode()
def test_vggish_equals_torchvggish_without_its_last_activation(vggish):
    path, reference, mel_features = vggish
    log_mel = mel_features.log_mel_spectrogram(
        SOUND.double().numpy(),
        audio_sample_rate=16_000,
        log_offset=0.01,
        window_length_secs=0.025,
        hop_length_secs=0.010,
        num_mel_bins=64,
        lower_edge_hertz=125,
        upper_edge_hertz=7500,
    )
    examples = torch.tensor(np.array(mel_features.frame(log_mel, 96, 96)))[:, None].float()
    assert len(examples) == 2
    before = []
    reference.embeddings[4].register_forward_hook(lambda module, given, result: before.append(result.clone()))
    reference(examples)
    assert_close(load_vggish(path)(SOUND), before[0])


@torch.inference_mode()
def test_i3d_equals_cd_fvd(tmp_path):
    from cdfvd.third_party.i3d.utils import preprocess_i3d

    reference = published.i3d()
    torch.save(reference.state_dict(), tmp_path / "i3d.pt")
    frames = torch.randint(256, (1, 16, 3, 40, 56), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    theirs = reference(preprocess_i3d(frames.permute(0, 1, 3, 4, 2).numpy()))
    assert_close(load_i3d(tmp_path / "i3d.pt")(frames), theirs)


def test_a_file_of_another_network_is_refused(cnn14, vggish):
    with pytest.raises(CheckpointError, match="is not VGGish"):
        load_vggish(cnn14[0])
    with pytest.raises(CheckpointError, match="is not PANNs' Cnn14 at 16 kHz"):
        load_cnn14(vggish[0])


def test_a_missing_layer_is_named(vggish, tmp_path):
    state = torch.load(vggish[0], weights_only=True)
    del state["embeddings.2.weight"]
    torch.save(state, tmp_path / "damaged.pth")
    with pytest.raises(CheckpointError, match="missing: embeddings.2.weight"):
        load_vggish(tmp_path / "damaged.pth")


def test_a_sound_that_is_too_short_is_refused(cnn14, vggish):
    with pytest.raises(AlignerError, match="Cnn14 hears 0.32 s at least"):
        load_cnn14(cnn14[0])(SOUND[None, :5000])
    with pytest.raises(AlignerError, match="VGGish hears 0.975 s at least"):
        load_vggish(vggish[0])(SOUND[:12_000])
