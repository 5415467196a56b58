"""A model that keeps a state over its steps, as packs that reuse the work of earlier steps do."""

from __future__ import annotations

from collections.abc import Callable

import torch
from comfy.patcher_extension import WrappersMP
from comfy_api.latest import io

#: Where packs of this kind sit.
PLACES = ("model_function_wrapper", "apply_model", "diffusion_model", "object_patch")


class StatefulModel(io.ComfyNode):
    """Every output is the mean of the network's and of the last output. A new run begins where the noise rises."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="TestStatefulModel",
            inputs=[io.Model.Input("model"), io.Combo.Input("place", options=list(PLACES))],
            outputs=[io.Model.Output()],
        )

    @classmethod
    def execute(cls, model, place) -> io.NodeOutput:
        stateful, last = model.clone(), Last()
        if place == "model_function_wrapper":

            def around(apply_model, given):
                output = apply_model(given["input"], given["timestep"], **given["c"])
                return last.mixed(given["timestep"], output)

            stateful.set_model_unet_function_wrapper(around)
        elif place == "object_patch":
            forward = stateful.get_model_object("diffusion_model.forward")

            def instead(x, timestep, *inputs, **conditions):
                return last.mixed(timestep, forward(x, timestep, *inputs, **conditions))

            stateful.add_object_patch("diffusion_model.forward", instead)
        else:

            def inside(executor: Callable, x, timestep, *inputs, **conditions):
                return last.mixed(timestep, executor(x, timestep, *inputs, **conditions))

            kind = {"apply_model": WrappersMP.APPLY_MODEL, "diffusion_model": WrappersMP.DIFFUSION_MODEL}[place]
            stateful.add_wrapper_with_key(kind, "test_stateful", inside)
        return io.NodeOutput(stateful)


class Last:
    """The last output, and the noise that it was made at."""

    def __init__(self) -> None:
        self.level, self.output = 0.0, torch.empty(0)

    def mixed(self, timestep: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        level = float(timestep.max())
        mixed = (output + self.output) / 2 if level < self.level else output
        self.level, self.output = level, mixed
        return mixed
