from comfy_api.latest import io

from ...aligner.guidance.distances import COMPARISONS
from ...aligner.guidance.rule import PAPER_RATES, PROMPT_RATES, RULES, Guidance, filled
from ...aligner.timing.clips import CLIP_SAMPLINGS
from ..types import CATEGORY, GuidanceType

#: A choice that is left to the rule; for numbers it is 0.
RULES_OWN = "the rule's own"


class GuidanceSettings(io.ComfyNode):
    """Widgets to a Guidance."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SeeingHearingGuidanceSettings",
            display_name="Guidance Settings",
            category=CATEGORY,
            description="How the conditions steer: by a search among several noises, which is the default, or by "
            "gradients, as the method's released code does or as the paper says.",
            inputs=[
                io.Combo.Input(
                    "rule",
                    options=list(RULES),
                    default="search",
                    tooltip="search: several noises are tried, and the one goes on whose result fits best "
                    "and is not silent; nothing is moved, and learning rates do not count. "
                    "released: Adam on the latent after each step, as the authors' code does. "
                    "paper: a plain gradient step before it, through the network; slower, and it "
                    "wants much higher learning rates.",
                ),
                io.Float.Input(
                    "learning_rate",
                    default=PAPER_RATES["audio"],
                    min=0.0,
                    max=1000.0,
                    step=0.001,
                    round=False,
                    tooltip="How far a sound's latent moves in each update. 0.1 is the paper's; 0.02 to "
                    "0.3 is usual with the released rule. 0 leaves it alone. For video see "
                    "video_rate.",
                ),
                io.Float.Input(
                    "prompt_rate",
                    default=0.0,
                    min=0.0,
                    max=10.0,
                    step=0.001,
                    round=False,
                    tooltip="Guided prompt tuning for sound: how far its prompt's embedding moves. 0 is "
                    "off; try 0.01. Costs a backward pass through the network.",
                ),
                io.Int.Input(
                    "inner_steps",
                    default=1,
                    min=1,
                    max=20,
                    tooltip="Updates in each denoising step. More follow the condition closer and take longer.",
                ),
                io.Float.Input(
                    "start",
                    default=0.2,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="Where in the denoising steps guidance begins, as a fraction. The authors warm up for 0.2.",
                ),
                io.Float.Input(
                    "end",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="Where guidance ends, as a fraction of the denoising steps.",
                ),
                io.Combo.Input(
                    "compare",
                    options=[*COMPARISONS, RULES_OWN],
                    default=RULES_OWN,
                    tooltip="mean: the whole with the whole, as in the paper. per_clip: each clip of sound "
                    "with its own clip of video, which carries timing; search does that.",
                ),
                io.Combo.Input(
                    "clips",
                    options=[*CLIP_SAMPLINGS, RULES_OWN],
                    default=RULES_OWN,
                    tooltip="How generated sound and video are cut into clips; best as in Encode "
                    "Condition. search takes short ones.",
                ),
                io.Boolean.Input(
                    "checkpointing",
                    default=False,
                    tooltip="Recompute activations instead of keeping them: less memory, more time, the "
                    "same result. Switch it on for video.",
                ),
                io.Float.Input(
                    "video_rate",
                    default=PAPER_RATES["video"],
                    min=0.0,
                    max=1000.0,
                    step=0.001,
                    round=False,
                    optional=True,
                    tooltip="How far a video's latent moves in each update, for the samplers that make "
                    "video or pictures. 0.01 is the paper's; 0 leaves it alone.",
                ),
                io.Float.Input(
                    "video_prompt_rate",
                    default=PROMPT_RATES["video"],
                    min=0.0,
                    max=10.0,
                    step=0.001,
                    round=False,
                    optional=True,
                    tooltip="Guided prompt tuning for video: how far its prompt's embedding moves. The "
                    "paper gives no figure. 0 is off, which is faster and needs less memory.",
                ),
                io.Int.Input(
                    "candidates",
                    default=0,
                    min=0,
                    max=64,
                    optional=True,
                    tooltip="From how many noises a sound is chosen. 0: the rule's own number, "
                    f"{RULES['search'].candidates['audio']} for search, 1 for the others. With "
                    "those, the one that is chosen is then moved.",
                ),
                io.Int.Input(
                    "video_candidates",
                    default=0,
                    min=0,
                    max=64,
                    optional=True,
                    tooltip="From how many noises a video or picture is chosen. 0: the rule's own number, "
                    f"{RULES['search'].candidates['video']} for search, 1 for the others.",
                ),
                io.Float.Input(
                    "chosen_at",
                    default=Guidance.chosen_at,
                    min=0.05,
                    max=0.95,
                    step=0.05,
                    optional=True,
                    tooltip="After which part of the denoising steps one of them is chosen. Later sees "
                    "more and takes longer.",
                ),
            ],
            outputs=[GuidanceType.Output(display_name="guidance", tooltip="For a guided sampler.")],
        )

    @classmethod
    def execute(
        cls,
        rule,
        learning_rate,
        prompt_rate,
        compare,
        clips,
        video_rate=PAPER_RATES["video"],
        video_prompt_rate=PROMPT_RATES["video"],
        candidates=0,
        video_candidates=0,
        **settings,
    ) -> io.NodeOutput:
        own = RULES[rule]
        if own.rates:
            settings |= {
                "rates": {"audio": learning_rate, "video": video_rate},
                "prompt_rates": {"audio": prompt_rate, "video": video_prompt_rate},
            }
        asked = {"audio": candidates or None, "video": video_candidates or None}
        return io.NodeOutput(
            Guidance(
                rule=rule,
                compare=_own_or(compare),
                clips=_own_or(clips),
                candidates=filled(asked, own.candidates),
                **settings,
            )
        )


def _own_or(choice: str) -> str | None:
    return None if choice == RULES_OWN else choice
