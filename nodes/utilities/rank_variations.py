import torch
from comfy import model_management
from comfy_api.latest import io, ui

from ...aligner import settings
from ...aligner.errors import AlignerError
from ...aligner.generation import SEARCH
from ...aligner.guidance.scoring import score
from ...aligner.metrics import av_align_of_clip
from ...aligner.metrics.ranking import ranked, ranking_report
from ..host.convert import exact_rate, pixels
from ..host.encoding import encode
from ..host.managed_binders import weighted
from ..host.managed_model import ManagedModel
from ..inputs import BinderType, Category, ConditionsType, schema, widget

#: The ranking compares results with conditions as the search does.
COMPARISON = SEARCH.comparison


class RankVariations(io.ComfyNode):
    """Several results, the best first."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingRankVariations",
            display_name="Rank Variations",
            category=Category.UTILITIES,
            description="Ranks several sounds or videos, the best first. Where sounds and frames are connected, "
            "AV-Align ranks them: it measures whether sound starts when something moves, and no rule optimises it. The "
            "binder's score ranks equals and results of one kind. A binder that did not steer judges more fairly.",
            is_input_list=True,
            search_aliases=["best of", "pick best", "sort", "choose best", "select sound"],
            inputs=[
                io.Audio.Input(
                    "audio", optional=True, tooltip="The sounds to rank, as a batch or a list. Or one for all videos."
                ),
                io.Image.Input(
                    "frames", optional=True, tooltip="The videos to rank, as a list of batches. Or one for all sounds."
                ),
                widget(settings.SCORED_FPS),
                BinderType.Input(
                    "binder",
                    optional=True,
                    tooltip="From Load ImageBind or Load PE-AV. It needs conditions.",
                ),
                ConditionsType.Input(
                    "conditions", optional=True, tooltip="From Encode Condition. The binder's score compares with them."
                ),
            ],
            outputs=[
                io.Audio.Output(display_name="audio", tooltip="The sound of the best result."),
                io.Image.Output(display_name="frames", tooltip="The frames of the best result."),
                io.Audio.Output(display_name="audio_ranked", tooltip="All sounds as a batch, the best first."),
                io.String.Output(display_name="report", tooltip="The scores of every result, the best first."),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, fps, audio=(), frames=(), binder=(), conditions=()) -> io.NodeOutput:
        sounds = [(one[None], rate) for sounds, rate in audio for one in sounds]
        videos = list(frames)
        count, rates = max(len(sounds), len(videos)), [exact_rate(each) for each in fps]
        if not all(len(each) in (0, 1, count) for each in (sounds, videos)) or not count:
            raise AlignerError(
                f"{len(sounds)} sounds and {len(videos)} videos cannot be ranked. Connect several of one kind, and as "
                "many of the other kind, one, or none."
            )
        candidates = [
            {name: each[k % len(each)] for name, each in (("audio", sounds), ("image", videos)) if each}
            for k in range(count)
        ]
        batch, scores, judge = _batch(sounds), {}, ""
        if sounds and videos and all(len(video) > 1 for video in videos):
            scores["AV-Align"] = [_timing(each, rates[k % len(rates)]) for k, each in enumerate(candidates)]
        if binder and conditions:
            varied = {name for name, each in (("audio", sounds), ("image", videos)) if len(each) == count}
            managed, judge = binder[0], binder[0].model.identity
            scores[judge] = [
                _alignment(managed, {name: each[name] for name in varied}, rates[k % len(rates)], conditions[0])
                for k, each in enumerate(candidates)
            ]
        order = ranked(scores)
        report, best = ranking_report(scores, order, judge), candidates[order[0]]
        if batch:
            batch["waveform"] = batch["waveform"][[k for k in order if k < len(sounds)]]
        sound = _batch([best["audio"]] if sounds else [])
        return io.NodeOutput(sound, best.get("image"), batch, report, ui=ui.PreviewText(report))


def _timing(candidate: dict, fps) -> float:
    model_management.throw_exception_if_processing_interrupted()
    sound, sample_rate = candidate["audio"]
    return av_align_of_clip(pixels(candidate["image"]), fps, sound[0].mean(dim=0), sample_rate).matched


def _alignment(binder: ManagedModel, candidate: dict, fps, conditions) -> float:
    model_management.throw_exception_if_processing_interrupted()
    # AV-Align needs frames that a binder of sounds alone does not see.
    parts = {part for each in weighted(binder) for part in each.model.parts}
    embedded = {name: each for name, each in candidate.items() if name in parts} or candidate
    encoded = encode(binder, text="", fps=float(fps), weight=1.0, clips=COMPARISON.clips, **embedded)
    return score(encoded, conditions, COMPARISON.compare, binder.model).overall


def _batch(sounds: list[tuple[torch.Tensor, int]]) -> dict | None:
    """The sounds as one AUDIO. Silence continues shorter ones. Where channels differ in number, each sound is averaged.

    Raises AlignerError for different sample rates.
    """
    if not sounds:
        return None
    rates, waves = {rate for _, rate in sounds}, [wave for wave, _ in sounds]
    if len(rates) > 1:
        raise AlignerError(
            f"These sounds have different sample rates ({', '.join(map(str, sorted(rates)))} Hz) and cannot be one "
            "batch. Resample them first."
        )
    if len({wave.shape[1] for wave in waves}) > 1:
        waves = [wave.mean(dim=1, keepdim=True) for wave in waves]
    longest = max(wave.shape[-1] for wave in waves)
    parts = [torch.nn.functional.pad(wave, (0, longest - wave.shape[-1])) for wave in waves]
    return {"waveform": torch.cat(parts), "sample_rate": rates.pop()}
