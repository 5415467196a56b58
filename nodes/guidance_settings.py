from comfy_api.latest import io

from ..aligner.guidance import PAPER_RATES, RULES, Guidance
from ..aligner.imagebind.clips import CLIP_SAMPLINGS
from ..aligner.losses import COMPARISONS
from ..aligner.tasks import AUDIO_TO_VIDEO
from .types import CATEGORY, GuidanceType


class GuidanceSettings(io.ComfyNode):
    """Widgets to a Guidance."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SeeingHearingGuidanceSettings",
            display_name="Guidance Settings",
            category=CATEGORY,
            description="How strongly, when and by which rule the conditions steer. The defaults for sound are "
                        "those of the method's released code, for video those of the paper.",
            inputs=[
                io.Combo.Input("rule", options=list(RULES), default="released",
                               tooltip="released: Adam on the latent after each step, as the authors' code does. "
                                       "paper: a plain gradient step before it, through the network; slower, and it "
                                       "wants much higher learning rates."),
                io.Float.Input("learning_rate", default=PAPER_RATES["audio"], min=0.0, max=1000.0, step=0.001,
                               round=False,
                               tooltip="How far a sound's latent moves in each update. 0.1 is the paper's; 0.02 to "
                                       "0.3 is usual with the released rule. 0 leaves it alone. For video see "
                                       "video_rate."),
                io.Float.Input("prompt_rate", default=0.0, min=0.0, max=10.0, step=0.001, round=False,
                               tooltip="Guided prompt tuning for sound: how far its prompt's embedding moves. 0 is "
                                       "off; try 0.01. Costs a backward pass through the network."),
                io.Int.Input("inner_steps", default=1, min=1, max=20,
                             tooltip="Updates in each denoising step. More follow the condition closer and take "
                                     "longer."),
                io.Float.Input("start", default=0.2, min=0.0, max=1.0, step=0.05,
                               tooltip="Where in the denoising steps guidance begins, as a fraction. The authors warm "
                                       "up for 0.2."),
                io.Float.Input("end", default=1.0, min=0.0, max=1.0, step=0.05,
                               tooltip="Where guidance ends, as a fraction of the denoising steps."),
                io.Combo.Input("compare", options=list(COMPARISONS), default="mean",
                               tooltip="mean: the whole with the whole, as in the paper. per_clip: each second of "
                                       "sound with its own second of video, which carries timing."),
                io.Combo.Input("clips", options=list(CLIP_SAMPLINGS), default="released",
                               tooltip="How generated sound and video are cut into clips; best as in Encode "
                                       "Condition."),
                io.Boolean.Input("checkpointing", default=False,
                                 tooltip="Recompute activations instead of keeping them: less memory, more time, the "
                                         "same result. Switch it on for video."),
                io.Float.Input("video_rate", default=PAPER_RATES["video"], min=0.0, max=1000.0, step=0.001, round=False,
                               optional=True,
                               tooltip="How far a video's latent moves in each update, for the samplers that make "
                                       "video or pictures. 0.01 is the paper's; 0 leaves it alone."),
                io.Float.Input("video_prompt_rate", default=AUDIO_TO_VIDEO.prompt_rates["video"], min=0.0, max=10.0,
                               step=0.001, round=False, optional=True,
                               tooltip="Guided prompt tuning for video: how far its prompt's embedding moves. The "
                                       "paper gives no figure. 0 is off, which is faster and needs less memory."),
            ],
            outputs=[GuidanceType.Output(display_name="guidance", tooltip="For a guided sampler.")],
        )

    @classmethod
    def execute(cls, learning_rate, prompt_rate, video_rate=PAPER_RATES["video"],
                video_prompt_rate=AUDIO_TO_VIDEO.prompt_rates["video"], **settings) -> io.NodeOutput:
        return io.NodeOutput(Guidance(rates={"audio": learning_rate, "video": video_rate},
                                      prompt_rates={"audio": prompt_rate, "video": video_prompt_rate}, **settings))
