from comfy_api.latest import io, ui

from ...aligner.generators.tuned_prompts import save_tuned_prompt
from ..host.model_folders import TUNED_PROMPTS
from ..host.saving import output_file, require_prefix
from ..inputs import Category, TunedPromptType, filename_prefix_input, schema


class SaveTunedPrompt(io.ComfyNode):
    """A tuned prompt to a file."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingSaveTunedPrompt",
            display_name="Save Tuned Prompt",
            category=Category.UTILITIES,
            description="Saves a prompt embedding after guidance, for Load Tuned Prompt.",
            search_aliases=["save embedding", "textual inversion", "prompt tuning"],
            inputs=[
                TunedPromptType.Input("tuned_prompt", tooltip="From a guided sampler."),
                filename_prefix_input(TUNED_PROMPTS),
            ],
            outputs=[TunedPromptType.Output(display_name="tuned_prompt", tooltip="The same prompt embedding.")],
            is_output_node=True,
        )

    @classmethod
    def require(cls, connected, filename_prefix) -> None:
        require_prefix(filename_prefix)

    @classmethod
    def execute(cls, tuned_prompt, filename_prefix) -> io.NodeOutput:
        file, shown = output_file(TUNED_PROMPTS, filename_prefix)
        save_tuned_prompt(file, tuned_prompt)
        return io.NodeOutput(tuned_prompt, ui=ui.PreviewText(shown))
