"""The templates in which Steer Model steers a MODEL of ComfyUI in its own sampler."""

from __future__ import annotations

from typing import Any

from .graph import Graph, Group, Model, Node, Subgraph, Wire, given
from .parts import HUB, TOYS, imagebind, load_audio, load_image, load_video, save_video

LTX = Model(
    "ltx-2.3-22b-distilled-fp8.safetensors",
    "checkpoints",
    f"{HUB}/Lightricks/LTX-2.3-fp8/resolve/main/ltx-2.3-22b-distilled-fp8.safetensors",
)
GEMMA = Model(
    "gemma_3_12B_it_fp4_mixed.safetensors",
    "text_encoders",
    f"{HUB}/Comfy-Org/ltx-2/resolve/main/split_files/text_encoders/gemma_3_12B_it_fp4_mixed.safetensors",
)
RATE = 25  # frames per second
HOW = (
    "**How it works**: *Steer Model* stands between a model and its sampler. *KSampler* tries {} seeds for {} of its {} "
    "steps. ImageBind compares what each becomes with {}, and *KSampler* finishes the best one. *Steering Report* shows "
    "all of them. The seed that it names gives the same result without *Steer Model*."
)


def prompts(clip: Wire, words: str | Wire) -> tuple[Node, Node]:
    kind = "CLIPTextEncode"
    return Node("positive", kind, title="Prompt", clip=clip, text=words), Node(
        "negative", kind, title="Negative Prompt", clip=clip, text=""
    )


def ksampler(steer: Node, positive: Wire, negative: Wire, latent: Wire, **settings: Any) -> Node:
    return Node(
        "sampler",
        "KSampler",
        model=steer.of("model"),
        positive=positive,
        negative=negative,
        latent_image=latent,
        **settings,
    )


def report(steer: Node, sampler: Node) -> Node:
    return Node("report", "SeeingHearingSteeringReport", steering=steer.of("steering"), latent=sampler.of("LATENT"))


def _image() -> Graph:
    binder, sound = imagebind(), load_audio()
    model = Node("model", "SeeingHearingLoadDemoModel", kind="picture")
    positive, negative = prompts(model.of("clip"), "a scene")
    steer = Node(
        "steer",
        "SeeingHearingSteerModel",
        model=model.of("model"),
        binder=binder.of("binder"),
        audio=sound.of("AUDIO"),
        vae=model.of("vae"),
    )
    words = positive.of("CONDITIONING"), negative.of("CONDITIONING")
    sampler = ksampler(steer, *words, model.of("latent"), seed=20, cfg=3.0, scheduler="normal")
    decoded = Node("decoded", "VAEDecode", samples=sampler.of("LATENT"), vae=model.of("vae"))
    save = Node("save", "SaveImage", images=decoded.of("IMAGE"), filename_prefix="seeing_and_hearing")
    return Graph(
        "Steer Any Image Model",
        f"""## Steer any image model

{TOYS} The prompt says nothing about the sound: steering alone makes the picture fit it.

{HOW.format(8, 8, 20, "the sound")}

**For your own model**: replace *Load Demo Model* by *Load Checkpoint* and *Empty Latent Image*. Flux has *Load Diffusion Model*, *DualCLIPLoader* and *Load VAE* instead. LoRAs go before *Steer Model*. Set *KSampler* as your model asks. *Download Model* gets ImageBind, for non-commercial use only, into `models/imagebind`.""",
        (
            (Group("1 Model", model), Group("2 What the picture fits", binder, sound)),
            (Group("3 Prompt", positive, negative, lower=200), Group("4 Steering", steer)),
            (Group("5 Sampling", sampler, lower=90),),
            (Group("6 Picture", decoded), Group("8 What was tried", report(steer, sampler), lower=200)),
            (Group("7 Result", save),),
        ),
        note_below=(4, 4),
    )


def _audio() -> Graph:
    binder, clip = imagebind(), load_video()
    model = Node("model", "SeeingHearingLoadDemoModel", kind="sound")
    positive, negative = prompts(model.of("clip"), "a scene")
    steer = Node(
        "steer",
        "SeeingHearingSteerModel",
        model=model.of("model"),
        binder=binder.of("binder"),
        video=clip.of("VIDEO"),
        vae=model.of("vae"),
    )
    words = positive.of("CONDITIONING"), negative.of("CONDITIONING")
    sampler = ksampler(steer, *words, model.of("latent"), cfg=2.5, scheduler="normal")
    decoded = Node("decoded", "VAEDecodeAudio", samples=sampler.of("LATENT"), vae=model.of("vae"))
    play = Node("play", "PreviewAudio", audio=decoded.of("AUDIO"))
    return Graph(
        "Steer Any Audio Model",
        f"""## Steer any audio model

{TOYS} The prompt says nothing about the clip: steering alone makes the sound fit it.

{HOW.format(16, 8, 20, "the clip")}

*Add Sound to Video* puts the sound onto the clip.

**For your own model**: replace *Load Demo Model*. Stable Audio has *Load Checkpoint*, *Load CLIP* and *EmptyLatentAudio*; *ConditioningStableAudio*, after the prompts, tells it the length. ACE-Step has *Load Checkpoint*, *EmptyAceStepLatentAudio* and *TextEncodeAceStepAudio*. Set the length of the latent to that of the clip, and *KSampler* as your model asks. *Download Model* gets ImageBind, for non-commercial use only, into `models/imagebind`.""",
        (
            (Group("1 Model", model), Group("2 Your clip", binder, clip)),
            (Group("3 Prompt", positive, negative, lower=200), Group("4 Steering", steer)),
            (Group("5 Sampling", sampler, lower=90),),
            (Group("6 Sound", decoded), Group("8 What was tried", report(steer, sampler), lower=200)),
            (Group("7 Result", play),),
        ),
        note_below=(4, 4),
    )


def _model_and_prompt() -> Subgraph:
    checkpoint = Node("checkpoint", "CheckpointLoaderSimple", ckpt_name=LTX.name, models=(LTX,))
    hearing = Node("hearing", "LTXVAudioVAELoader", ckpt_name=LTX.name, models=(LTX,))
    encoder = Node(
        "encoder", "LTXAVTextEncoderLoader", text_encoder=GEMMA.name, ckpt_name=LTX.name, models=(GEMMA, LTX)
    )
    positive, negative = prompts(encoder.of("CLIP"), given("prompt"))
    words = Node(
        "words",
        "LTXVConditioning",
        positive=positive.of("CONDITIONING"),
        negative=negative.of("CONDITIONING"),
        frame_rate=RATE,
    )
    empty = Node("empty", "EmptyLTXVLatentVideo", width=given("width"), height=given("height"), length=given("length"))
    silence = Node(
        "silence",
        "LTXVEmptyLatentAudio",
        audio_vae=hearing.of("Audio VAE"),
        frames_number=given("length"),
        frame_rate=RATE,
    )
    latent = Node("latent", "LTXVConcatAVLatent", video_latent=empty.of("LATENT"), audio_latent=silence.of("Latent"))
    return Subgraph(
        "LTX-2.3: model and prompt",
        "The model, the prompt, and an empty latent of video and sound at 25 frames per second.",
        {
            "prompt": ("STRING", "A red ball bounces on the floor of a dark room, with a thud at every bounce."),
            "width": ("INT", 768),
            "height": ("INT", 512),
            "length": ("INT", 97),
        },
        (checkpoint, hearing, encoder, positive, negative, words, empty, silence, latent),
        {
            "model": checkpoint.of("MODEL"),
            "positive": words.of("positive"),
            "negative": words.of("negative"),
            "latent": latent.of("latent"),
            "vae": checkpoint.of("VAE"),
            "audio vae": hearing.of("Audio VAE"),
        },
    )


def _latent_to_video() -> Subgraph:
    apart = Node("apart", "LTXVSeparateAVLatent", av_latent=given("latent"))
    seen = Node("seen", "VAEDecodeTiled", samples=apart.of("video_latent"), vae=given("vae"), temporal_size=4096)
    heard = Node("heard", "LTXVAudioVAEDecode", samples=apart.of("audio_latent"), audio_vae=given("audio vae"))
    video = Node("video", "CreateVideo", images=seen.of("IMAGE"), audio=heard.of("Audio"), fps=float(RATE))
    return Subgraph(
        "LTX-2.3: latent to video",
        "Decodes pictures and sound, and makes a video of 25 frames per second.",
        {"latent": ("LATENT", None), "vae": ("VAE", None), "audio vae": ("VAE", None)},
        (apart, seen, heard, video),
        {"video": video.of("VIDEO")},
    )


def _joint() -> Graph:
    binder, picture = imagebind(real=True), load_image()
    model = Node("model", _model_and_prompt())
    steer = Node(
        "steer",
        "SeeingHearingSteerModel",
        model=model.of("model"),
        binder=binder.of("binder"),
        image=picture.of("IMAGE"),
        vae=model.of("vae"),
        audio_vae=model.of("audio vae"),
        fps=float(RATE),
    )
    sampler = ksampler(
        steer,
        model.of("positive"),
        model.of("negative"),
        model.of("latent"),
        steps=8,
        cfg=1.0,
        sampler_name="euler_ancestral",
        scheduler="linear_quadratic",
    )
    decoded = Node(
        "decoded",
        _latent_to_video(),
        latent=sampler.of("LATENT"),
        vae=model.of("vae"),
        **{"audio vae": model.of("audio vae")},
    )
    return Graph(
        "Steer LTX with Sound",
        f"""## Steer a joint model

**Needs ComfyUI 0.33 or newer and LTX-2.3**: `{LTX.name}` in `models/checkpoints`, `{GEMMA.name}` in `models/text_encoders`. No toy stands in for it. It also needs `imagebind_huge.pth` in `models/imagebind`; *Download Model* gets it. ComfyUI offers all three as the graph opens. The licence of ImageBind allows non-commercial use only.

{HOW.format(16, 2, 8, "the picture, and its sound with its video")}

**What to change**: the prompt, size and length in *LTX-2.3: model and prompt*; the picture in *Load Image*, or a sound or clip in its place; *pair weight* in *Steer Model*. A double click opens a subgraph.""",
        (
            (Group("1 Model and prompt", model), Group("2 What the result fits", binder, picture)),
            (Group("3 Steering", steer, lower=400),),
            (Group("4 Sampling", sampler, lower=120),),
            (Group("5 Video", decoded), Group("6 What was tried", report(steer, sampler), lower=340)),
            (Group("7 Result", save_video(decoded.of("video"))),),
        ),
        note_below=(4, 4),
    )


STEERED = (_image(), _audio(), _joint())
