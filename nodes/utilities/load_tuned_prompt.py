from comfy_api.latest import io

from ...aligner.generators.tuned_prompts import load_tuned_prompt
from ..host.managed_model import versions
from ..host.model_folders import tuned_prompt_names, tuned_prompt_path
from ..inputs import Category, TunedPromptType, schema


class LoadTunedPrompt(io.ComfyNode):
    """A file name to a tuned prompt."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingLoadTunedPrompt",
            display_name="Load Tuned Prompt",
            category=Category.UTILITIES,
            description="Loads a prompt embedding that Save Tuned Prompt has written. It fits only the model that it "
            "was tuned for.",
            search_aliases=["load embedding", "textual inversion", "prompt tuning"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=tuned_prompt_names(),
                    tooltip="A file from output/tuned_prompts or models/tuned_prompts. Press R to see new ones.",
                ),
            ],
            outputs=[TunedPromptType.Output(display_name="tuned_prompt", tooltip="For a guided sampler.")],
        )

    @classmethod
    def fingerprint_inputs(cls, file) -> tuple[str, ...]:
        """Another file may replace this one under the same name."""
        return versions(tuned_prompt_path(file))

    @classmethod
    def execute(cls, file) -> io.NodeOutput:
        return io.NodeOutput(load_tuned_prompt(tuned_prompt_path(file)))
