"""The templates: one for each task on the built-in models, one for each on real models, and one that downloads those."""

from __future__ import annotations

from .graph import Graph, Group, Node
from .parts import (
    COMPARED,
    FOR_REAL,
    NO_MOTION,
    TOYS,
    animatediff,
    audio_sampler,
    audioldm,
    encode,
    files,
    imagebind,
    load_audio,
    load_image,
    load_video,
    mm_diffusion,
    save_video,
    tried,
)
from .steered import STEERED


def _video_to_audio(name: str, note: str, real: bool) -> Graph:
    binder, generator, clip = imagebind(real), audioldm(real), load_video()
    sampler = audio_sampler(
        generator,
        binder,
        video=clip.of("VIDEO"),
        prompt="" if real else "a scene",
    )
    return Graph(
        name,
        note,
        (
            (Group("1 Models", binder, generator), Group("2 Your clip", clip)),
            (Group("3 Sound", sampler),),
            (Group("4 Result", save_video(sampler.of("video")), tried(sampler.of("overview"))),),
        ),
    )


SOUND_FOR_A_CLIP = _video_to_audio(
    "Video to Sound",
    f"""## Sound for a clip

{TOYS} The prompt says nothing about the clip: guidance alone makes the sound fit it.

{FOR_REAL.format("Video to Sound by Real Models")}

**What to change**
- Choose your own clip in *Load Video*. Its pictures stay as they are.
- Describe the sound in *prompt*, or leave it empty.
- *Add Sound to Video* keeps the sound that the clip has.

{COMPARED}""",
    real=False,
)
REAL_VIDEO_TO_SOUND = _video_to_audio(
    "Video to Sound by Real Models",
    f"""## Sound for a clip, with real models

It needs
{files("imagebind", "audioldm")}

*Download Model* gets them, see the template *Download Models*. Their licences allow non-commercial use only.

**What to change**
- Choose your own clip in *Load Video*.
- Describe the sound in *prompt*. One plain sentence works best.
- More *audio candidates* in *Search Settings* fit better and take longer.

{COMPARED}""",
    real=True,
)


def _audio_to_video(name: str, note: str, real: bool) -> Graph:
    binder, generator, sound = imagebind(real), animatediff(real), load_audio()
    sampler = Node(
        "sampler",
        "SeeingHearingVideoSampler",
        video_generator=generator.of("video_generator"),
        binder=binder.of("binder"),
        audio=sound.of("AUDIO"),
        prompt="" if real else "a scene",
        # Of the seeds 0 to 7 this one moves the ball most in time with the thuds, by AV-Align.
        seed=0 if real else 5,
    )
    return Graph(
        name,
        note,
        (
            (Group("1 Models", binder, generator), Group("2 Your sound", sound)),
            (Group("3 Video", sampler),),
            (Group("4 Result", save_video(sampler.of("video")), tried(sampler.of("overview"))),),
        ),
    )


VIDEO_FOR_A_SOUND = _audio_to_video(
    "Sound to Video",
    f"""## Video for a sound

{TOYS} The prompt says nothing about the sound: guidance alone makes the video fit it.

{FOR_REAL.format("Sound to Video by Real Models")}

**What to change**
- Choose your own sound in *Load Audio*. The video lasts *frames* / *fps* seconds and follows the sound so long.
- Describe the video in *prompt*, or leave it empty.

{COMPARED}

Out of memory? Make the video smaller, or set *decoding* to `half`.""",
    real=False,
)
REAL_SOUND_TO_VIDEO = _audio_to_video(
    "Sound to Video by Real Models",
    f"""## Video for a sound, with real models

It needs
{files("imagebind", "base", "motion")}

The page offers them as the graph opens. *Download Model* gets them too, see the template *Download Models*. The licence of ImageBind allows non-commercial use only.

**What to change**
- Choose your own sound in *Load Audio*. The video lasts *frames* / *fps* seconds and follows the sound so long.
- Describe the video in *prompt*.
- More *video candidates* in *Search Settings* fit better and take longer.

{COMPARED}

Out of memory? Make the video smaller, or set *decoding* to `half`.""",
    real=True,
)


def _joint(name: str, note: str, prompt: str, real: bool) -> Graph:
    binder, video, audio = imagebind(real), animatediff(real), audioldm(real)
    sampler = Node(
        "sampler",
        "SeeingHearingJointSampler",
        video_generator=video.of("video_generator"),
        audio_generator=audio.of("audio_generator"),
        binder=binder.of("binder"),
        prompt=prompt,
        # Of the seeds 0 to 5 this one makes rain whose picture and sound meet best, by AV-Align.
        seed=0 if real else 3,
    )
    return Graph(
        name,
        note,
        (
            (Group("1 Models", binder, video, audio),),
            (Group("2 Video and sound", sampler),),
            (Group("3 Result", save_video(sampler.of("video")), tried(sampler.of("overview"))),),
        ),
    )


VIDEO_WITH_SOUND = _joint(
    "Video with Sound",
    f"""## Video and sound from words

{TOYS} Video and sound follow the prompt and each other.

{FOR_REAL.format("Video with Sound by Real Models")}

**What to change**
- Describe both in *prompt*. The sound can have its own prompt in *audio prompt*.
- Connect a *video*, an *image* or an *audio* that both should follow.

{COMPARED}

Out of memory? Make the video smaller, or set *decoding* to `half`.""",
    "rain falls from a cloud with a hiss",
    real=False,
)
REAL_JOINT = _joint(
    "Video with Sound by Real Models",
    f"""## Video and sound from words, with real models

It needs
{files("imagebind", "base", "motion", "audioldm")}

The page offers the first three as the graph opens. *Download Model* gets all, see the template *Download Models*. The licences of ImageBind and AudioLDM allow non-commercial use only.

**What to change**
- Describe both in *prompt*. The sound can have its own prompt in *audio prompt*.
- More candidates in *Search Settings* fit better and take longer.

{COMPARED}

Out of memory? Make the video smaller, or set *decoding* to `half`.""",
    "rain falls on a street at night",
    real=True,
)


def _one_network() -> Graph:
    binder, generator = imagebind(), mm_diffusion()
    sampler = Node(
        "sampler",
        "SeeingHearingMMDiffusionSampler",
        joint_generator=generator.of("joint_generator"),
        binder=binder.of("binder"),
    )
    return Graph(
        "Video with Sound by MM-Diffusion",
        f"""## Video and sound by one network

{TOYS} MM-Diffusion knows no words: it makes a video and its sound from noise. The search chooses a pair that belongs together.

**For real results** put `Landscape.pt` or `AIST++.pt` into `models/mm_diffusion`, press R and choose it in *Load MM-Diffusion*. Its authors link the files in [their repository](https://github.com/researchmm/MM-Diffusion). *Download Models* gets ImageBind, whose licence allows non-commercial use only. *MM-Diffusion Upscale* makes the frames four times larger.

**What to change**
- Connect *Encode Condition* to *conditions*: the result follows a text, a picture or a sound.
- Connect a clip to *given_video*, and only its sound is made; or a sound to *given_audio*, and only its video is made.
- *seconds* makes the result longer than one clip of the model.

{COMPARED}""",
        (
            (Group("1 Models", binder, generator),),
            (Group("2 Video and sound", sampler),),
            (Group("3 Result", save_video(sampler.of("video")), tried(sampler.of("overview"))),),
        ),
    )


def _image_to_audio() -> Graph:
    binder, generator, picture = imagebind(), audioldm(), load_image()
    sampler = audio_sampler(
        generator,
        binder,
        image=picture.of("IMAGE"),
        prompt="a scene",
        length="seconds",
        seconds=2.0,
    )
    play = Node("play", "PreviewAudio", audio=sampler.of("audio"))
    return Graph(
        "Picture to Sound",
        f"""## Sound for a picture

{TOYS} The prompt says nothing about the picture: guidance alone makes the sound fit it.

{FOR_REAL.format("Video to Sound by Real Models")}

**What to change**
- Choose your own picture in *Load Image*, and the length in *seconds*.
- Describe the sound in *prompt*, or leave it empty.

{COMPARED}""",
        (
            (Group("1 Models", binder, generator), Group("2 Your picture", picture)),
            (Group("3 Sound", sampler),),
            (Group("4 Result", play, tried(sampler.of("overview"))),),
        ),
    )


def _audio_to_image() -> Graph:
    binder, generator, sound = imagebind(), animatediff(motion=NO_MOTION), load_audio()
    sampler = Node(
        "sampler",
        "SeeingHearingVideoSampler",
        video_generator=generator.of("video_generator"),
        binder=binder.of("binder"),
        audio=sound.of("AUDIO"),
        prompt="a scene",
        seed=3,
        frames=1,
    )
    save = Node("save", "SaveImage", images=sampler.of("frames"), filename_prefix="seeing_and_hearing")
    return Graph(
        "Sound to Picture",
        f"""## A picture for a sound

{TOYS} The prompt says nothing about the sound: guidance alone makes the picture fit it.

{FOR_REAL.format("Sound to Video by Real Models")} A picture is a video of one frame and needs no motion module.

**What to change**
- Choose your own sound in *Load Audio*.
- Describe the picture in *prompt*, or leave it empty.

{COMPARED}""",
        (
            (Group("1 Models", binder, generator), Group("2 Your sound", sound)),
            (Group("3 Picture", sampler),),
            (Group("4 Result", save, tried(sampler.of("overview"))),),
        ),
    )


def _sound_inpainting() -> Graph:
    binder, generator, sound = imagebind(), audioldm(), load_audio()
    latent = Node(
        "latent",
        "SeeingHearingEncodeSound",
        audio_generator=generator.of("audio_generator"),
        audio=sound.of("AUDIO"),
    )
    masked = Node("masked", "SeeingHearingMaskSeconds", latent=latent.of("latent"), start=1.0, end=2.0)
    condition = encode(binder=binder.of("binder"), text="a lamp flashes with a siren")
    sampler = audio_sampler(
        generator,
        binder,
        conditions=condition.of("conditions"),
        latent=masked.of("latent"),
        prompt="a scene",
    )
    play = Node("play", "PreviewAudio", audio=sampler.of("audio"))
    return Graph(
        "Sound Inpainting",
        f"""## Some seconds of a sound made anew

{TOYS} The second half of the sound is made anew to fit the words. The first half stays.

{FOR_REAL.format("Video to Sound by Real Models")}

**What to change**
- Choose your own sound in *Load Audio*, and the part that is made anew in *Mask Seconds*.
- Describe the new part in *Encode Condition*, or connect a picture or clip there.

The latent of the part that stays is kept exactly. The sound of AudioLDM is mono, at 16 kHz.""",
        (
            (Group("1 Models", binder, generator), Group("2 Your sound", sound)),
            (Group("3 What is made anew", latent, masked, condition, lower=200),),
            (Group("4 Sound", sampler),),
            (Group("5 Result", play, tried(sampler.of("overview"))),),
        ),
        note_below=(3, 3),
    )


def _timeline_long_sound() -> Graph:
    binder, generator = imagebind(), audioldm()
    siren = encode("siren", binder=binder.of("binder"), text="a lamp flashes with a siren")
    fire = encode("fire", binder=binder.of("binder"), text="a fire flares up and crackles")
    kind = "SeeingHearingConditionTimeline"
    first = Node("first", kind, title="First three seconds", conditions=siren.of("conditions"), end=3.0)
    last = Node(
        "last",
        kind,
        title="Last three seconds",
        conditions=fire.of("conditions"),
        others=first.of("conditions"),
        start=3.0,
    )
    sampler = audio_sampler(
        generator,
        binder,
        conditions=last.of("conditions"),
        prompt="a scene",
        steps=20,
        length="seconds",
        seconds=6.0,
        window_seconds=2.0,
    )
    play = Node("play", "PreviewAudio", audio=sampler.of("audio"))
    return Graph(
        "Long Sound on a Timeline",
        f"""## A long sound on a timeline

{TOYS} The first three seconds follow one condition, the last three another. The prompt names neither.

{FOR_REAL.format("Video to Sound by Real Models")}

**What to change**
- Set *seconds* to the length that you want. Memory does not grow with it. *window seconds* 0 suits real models.
- Write your own conditions, or connect pictures, clips and sounds. *Condition Timeline* says when each of them steers.
- *strength* is a curve over the seconds: `0: 1, 3: 0` fades out.""",
        (
            (Group("1 Models", binder, generator),),
            (Group("2 What to follow", siren, fire, lower=200),),
            (Group("3 When", first, last, lower=200),),
            (Group("4 Sound", sampler),),
            (Group("5 Result", play, tried(sampler.of("overview"))),),
        ),
        note_below=(4, 4),
    )


def _auto_caption() -> Graph:
    binder, generator, clip = imagebind(), audioldm(), load_video()
    captioner = Node("captioner", "SeeingHearingLoadCaptioner")
    key = Node("key", "SeeingHearingKeyFrame", video=clip.of("VIDEO"))
    caption = Node("caption", "SeeingHearingCaption", captioner=captioner.of("captioner"), image=key.of("image"))
    sampler = audio_sampler(
        generator,
        binder,
        video=clip.of("VIDEO"),
        prompt=caption.of("caption"),
    )
    return Graph(
        "Video to Sound with a Caption",
        f"""## Sound for a clip, with an automatic caption

{TOYS} *Caption* describes a typical frame of the clip. The sound follows the caption as its prompt, and the clip through guidance. This is the paper's automatic way.

{FOR_REAL.format("Video to Sound by Real Models")} A model that captions pictures, such as `blip-image-captioning-base`, goes into `models/captioners`.

**What to change**
- Choose your own clip in *Load Video*.
- Captions describe what can be seen. Write words about the sound, such as `the sound of`, into *before* of *Caption*.

A wrong caption leads to a wrong sound. Read it in *Caption*, or write the prompt yourself.""",
        (
            (Group("1 Models", binder, generator), Group("2 Your clip", clip), Group("3 Captions", captioner)),
            (Group("4 Words for the clip", key, caption, lower=400),),
            (Group("5 Sound", sampler),),
            (Group("6 Result", save_video(sampler.of("video"))),),
        ),
        note_below=(3, 3),
    )


def _without() -> Graph:
    binder, generator, clip = imagebind(), audioldm(), load_video()
    music = encode("music", binder=binder.of("binder"), text="a siren", weight=-0.5, title="What it should not be")
    voice = encode(
        "voice",
        binder=binder.of("binder"),
        text="a bell",
        weight=-0.5,
        conditions=music.of("conditions"),
        title="Nor this",
    )
    sampler = audio_sampler(
        generator,
        binder,
        video=clip.of("VIDEO"),
        conditions=voice.of("conditions"),
        prompt="a scene",
    )
    return Graph(
        "Video to Sound without Music or Voice",
        f"""## Sound for a clip, without music or voice

{TOYS} They know neither music nor voices: a siren and a bell stand for them here.

The two conditions have weights below 0: of all that is tried, the search takes what fits the clip and is far from them. A negative prompt changes what the generator makes of its words. A condition judges what is heard.

{FOR_REAL.format("Video to Sound by Real Models")} *Load CLAP*, a binder for sounds and words, can judge the two texts alone: load it beside the binder of the clip, encode the texts by it, and connect both binders by *Combine Binders*.

**What to change**
- With real models write `music` and `a voice, speech` into the two texts.
- Choose your own clip in *Load Video*.
- Weights of -1 keep the sound further away, and it may fit the clip less: together they weigh more than the clip.

{COMPARED}""",
        (
            (Group("1 Models", binder, generator), Group("2 Your clip", clip)),
            (Group("3 No music", music, lower=430),),
            (Group("4 No voice", voice, lower=280),),
            (Group("5 Sound", sampler),),
            (Group("6 Result", save_video(sampler.of("video"))),),
        ),
        note_below=(4, 4),
    )


def _video_to_video_with_sound() -> Graph:
    binder, video, audio, clip = imagebind(), animatediff(), audioldm(), load_video()
    parts = Node("parts", "GetVideoComponents", video=clip.of("VIDEO"))
    some = Node(
        "some", "ImageFromBatch", title="The 16 frames to change", image=parts.of("images"), batch_index=0, length=16
    )
    scaled = Node(
        "scaled", "ImageScale", image=some.of("IMAGE"), upscale_method="lanczos", width=64, height=64, crop="center"
    )
    sampler = Node(
        "sampler",
        "SeeingHearingJointSampler",
        video_generator=video.of("video_generator"),
        audio_generator=audio.of("audio_generator"),
        binder=binder.of("binder"),
        init_frames=scaled.of("IMAGE"),
        prompt="a green ring grows with the sound of a horn",
        fps=parts.of("fps"),
        denoise=0.8,
    )
    return Graph(
        "New Look with Sound",
        f"""## A new look and its sound for a clip

{TOYS} The example clip becomes another event and gets its sound.

{FOR_REAL.format("Video with Sound by Real Models")}

**What to change**
- Choose your own clip, and 16 of its frames. Motion modules were trained at about 8 frames per second.
- Set *width* and *height* of *Upscale Image* near 512 for real models, multiples of 8, for example 640 x 360.
- Describe the new look and its sound in *prompt*.
- Lower *denoise* keeps more of the clip.

Out of memory? Make the video smaller, or set *decoding* to `half`.""",
        (
            (Group("1 Models", binder, audio, video),),
            (Group("2 Your clip", clip, lower=380),),
            (Group("3 Frames", parts, some, scaled, lower=230),),
            (Group("4 Video and sound", sampler),),
            (Group("5 Result", save_video(sampler.of("video"))),),
        ),
        note_below=(4, 4),
    )


def _download_models() -> Graph:
    def download(name: str, model: str) -> Node:
        return Node(name, "SeeingHearingDownloadModel", title=model, model=model)

    return Graph(
        "Download Models",
        """## Get the real models

Each node downloads one model. Press **Run** with *accept* off: the error of each node names its size and its licence. Read the licence, switch *accept* on and run again. A download that was cut off goes on where it ended.

Then press R, and choose the models in the loaders, or open one of the templates *by Real Models*.

PE-AV takes the place of ImageBind: *Load PE-AV* in place of *Load ImageBind*. ImageBind and AudioLDM are for non-commercial use only, PE-AV is not. Nothing else in this extension downloads anything.""",
        (
            (
                Group(
                    "1 For everything, one of them",
                    download("pe_av", "PE-AV, large (for commercial use, too)"),
                    download("imagebind", "ImageBind"),
                ),
            ),
            (Group("2 For sound", download("audioldm", "AudioLDM, medium (the paper's)")),),
            (
                Group(
                    "3 For video",
                    download("base", "Stable Diffusion 1.5"),
                    download("motion", "AnimateDiff motion module, version 2"),
                ),
            ),
        ),
    )


TEMPLATES = (
    SOUND_FOR_A_CLIP,
    VIDEO_FOR_A_SOUND,
    VIDEO_WITH_SOUND,
    _image_to_audio(),
    _audio_to_image(),
    _sound_inpainting(),
    _timeline_long_sound(),
    _auto_caption(),
    _without(),
    _video_to_video_with_sound(),
    _one_network(),
    *STEERED,
    REAL_VIDEO_TO_SOUND,
    REAL_SOUND_TO_VIDEO,
    REAL_JOINT,
    _download_models(),
)
