"""Nodes that show what a sampler did."""

from __future__ import annotations

import hashlib
import json

from comfy_api.latest import io, ui

from .latents import kept_of, streams_of


class Fingerprint(io.ComfyNode):
    """Shows what a latent, a picture or a sound is as JSON: SHA-256 of its bytes; shape, mean and deviation of each
    stream.

    kept: only what the latent's mask keeps.
    """

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="TestFingerprint",
            inputs=[
                io.Latent.Input("samples", optional=True),
                io.Image.Input("image", optional=True),
                io.Audio.Input("audio", optional=True),
                io.Boolean.Input("kept", default=False),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, kept, samples=None, image=None, audio=None) -> io.NodeOutput:
        streams = [] if samples is None else kept_of(samples) if kept else streams_of(samples["samples"])
        streams += [] if image is None else [image]
        streams += [] if audio is None else [audio["waveform"]]
        digest = hashlib.sha256()
        for stream in streams:
            digest.update(stream.cpu().contiguous().numpy().tobytes())
        shown = {
            "sha256": digest.hexdigest(),
            "shapes": [list(stream.shape) for stream in streams],
            "means": [stream.mean().item() for stream in streams],
            "deviations": [stream.std().item() for stream in streams],
        }
        return io.NodeOutput(ui=ui.PreviewText(json.dumps(shown)))


#: The calls and rows of every counted model, by its name. See CountingModel.
counted: dict[str, dict[str, int]] = {}


class CountingModel(io.ComfyNode):
    """A model that counts its evaluations. It is never cached, so that a prompt that runs again samples again.

    A call is one call inside core's `apply_model`. It takes the positive and the negative prompt together where memory
    allows. A row is one latent of the batch with one of these prompts.
    """

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="TestCountingModel",
            inputs=[io.Model.Input("model"), io.String.Input("name", default="model")],
            outputs=[io.Model.Output()],
        )

    @classmethod
    def fingerprint_inputs(cls, **inputs):
        return float("nan")  # equals nothing

    @classmethod
    def execute(cls, model, name) -> io.NodeOutput:
        counted[name] = {"calls": 0, "rows": 0}
        counting_model = model.clone()
        apply = counting_model.get_model_object("_apply_model")

        def counting(x, *inputs, **conditions):
            counted[name]["calls"] += 1
            counted[name]["rows"] += len(x)
            return apply(x, *inputs, **conditions)

        counting_model.add_object_patch("_apply_model", counting)
        return io.NodeOutput(counting_model)


class Count(io.ComfyNode):
    """Shows the calls and rows of a counted model as JSON, and starts again from 0.

    It runs after its latent is made, and hands it on: what takes the latent from here counts anew.
    """

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="TestCount",
            inputs=[io.Latent.Input("samples"), io.String.Input("name", default="model")],
            outputs=[io.Latent.Output()],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, samples, name) -> io.NodeOutput:
        shown = json.dumps(counted[name])
        counted[name] = {"calls": 0, "rows": 0}
        return io.NodeOutput(samples, ui=ui.PreviewText(shown))
