"""Loading of components with transformers."""

import logging

import pytest
import torch

from aligner.files.diffusers_folders import _precision_option, load_component


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_weights_are_read_in_the_precision_that_is_asked_for(small, tmp_path, monkeypatch, caplog, dtype):
    """Reading in another precision first could take twice the memory. There is no warning either."""
    from transformers import CLIPTextModel

    small.text_encoder.save_pretrained(tmp_path / "text_encoder")
    read, precisions = CLIPTextModel.from_pretrained, []

    def recorded(*args, **options):
        model, info = read(*args, **options)
        precisions.extend({tensor.dtype for tensor in model.parameters()})
        return model, info

    monkeypatch.setattr(CLIPTextModel, "from_pretrained", recorded)
    monkeypatch.setattr(logging.getLogger("transformers"), "propagate", True)
    loaded = load_component(CLIPTextModel, tmp_path, "text_encoder", dtype, "cpu").state_dict()
    assert precisions == [dtype]
    assert all(torch.equal(loaded[name], tensor.to(dtype)) for name, tensor in small.text_encoder.state_dict().items())
    # A download of another test may still be trying.
    assert not [each for each in caplog.records if not each.name.startswith("huggingface_hub")]


@pytest.mark.parametrize(
    "version, option",
    [("4.37.2", "torch_dtype"), ("4.55.4", "torch_dtype"), ("4.56.0", "dtype"), ("5.0.0.dev0", "dtype")],
)
def test_the_precision_has_the_name_that_the_version_knows(monkeypatch, version, option):
    monkeypatch.setattr("transformers.__version__", version)
    assert _precision_option() == option


def test_what_is_computed_keeps_its_precision(tmp_path):
    """Rotary frequencies in half precision confuse positions after a few hundred tokens."""
    from transformers import LlamaConfig, LlamaForCausalLM

    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=16,
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=2,
        )
    )
    model.save_pretrained(tmp_path)
    loaded = load_component(LlamaForCausalLM, tmp_path, "", torch.bfloat16, "cpu")
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.bfloat16}
    (frequencies,) = (buffer for name, buffer in loaded.named_buffers() if name.endswith("rotary_emb.inv_freq"))
    assert frequencies.dtype == torch.float32 and torch.equal(frequencies, model.model.rotary_emb.inv_freq)
