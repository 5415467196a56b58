"""The titles and descriptions on the cards of the templates, by language."""

from __future__ import annotations

from typing import Any

#: By template and language: title and description.
CARDS: dict[str, dict[str, tuple[str, str]]] = {
    "video_to_audio": {
        "en": ("Sound for a clip", "A sound that fits a silent clip, put onto the clip. Runs on built-in toys."),
        "ja": (
            "クリップに音を付ける",
            "無音のクリップに合う音を作り、クリップに付けます。内蔵のデモモデルで動きます。",
        ),
        "zh": ("为片段配声音", "为无声片段生成合适的声音并加到片段上。使用内置演示模型运行。"),
    },
    "audio_to_video": {
        "en": ("Video for a sound", "A short video that fits a sound. Runs on built-in toys."),
        "ja": ("音に合うビデオ", "音に合う短いビデオを作ります。内蔵のデモモデルで動きます。"),
        "zh": ("为声音配视频", "生成与声音相配的短视频。使用内置演示模型运行。"),
    },
    "joint_video_audio": {
        "en": (
            "Video with sound from words",
            "Video and sound that fit each other, from a prompt. Runs on built-in toys.",
        ),
        "ja": ("言葉から音付きビデオ", "プロンプトから、互いに合うビデオと音を作ります。内蔵のデモモデルで動きます。"),
        "zh": ("由文字生成有声视频", "由提示词生成彼此相配的视频和声音。使用内置演示模型运行。"),
    },
    "image_to_audio": {
        "en": ("Sound for a picture", "A sound that fits a picture. Runs on built-in toys."),
        "ja": ("画像に合う音", "画像に合う音を作ります。内蔵のデモモデルで動きます。"),
        "zh": ("为图片配声音", "生成与图片相配的声音。使用内置演示模型运行。"),
    },
    "audio_to_image": {
        "en": ("A picture for a sound", "A picture that fits a sound. Runs on built-in toys."),
        "ja": ("音に合う画像", "音に合う画像を作ります。内蔵のデモモデルで動きます。"),
        "zh": ("为声音配图片", "生成与声音相配的图片。使用内置演示模型运行。"),
    },
    "sound_inpainting": {
        "en": (
            "Some seconds made anew",
            "A part of a sound is made anew to fit words. The rest stays. Runs on built-in toys.",
        ),
        "ja": (
            "音の一部を作り直す",
            "音の一部を言葉に合わせて作り直し、残りはそのままにします。内蔵のデモモデルで動きます。",
        ),
        "zh": ("重做声音的几秒", "按文字重做声音的一部分，其余保持不变。使用内置演示模型运行。"),
    },
    "timeline_long_sound": {
        "en": (
            "A long sound on a timeline",
            "A long sound whose parts follow different conditions. Runs on built-in toys.",
        ),
        "ja": ("タイムラインの長い音", "部分ごとに違う条件に従う長い音を作ります。内蔵のデモモデルで動きます。"),
        "zh": ("时间线上的长声音", "各段遵循不同条件的长声音。使用内置演示模型运行。"),
    },
    "video_to_audio_auto_caption": {
        "en": (
            "Sound for a clip, captioned",
            "As Sound for a clip, with a prompt that a captioner writes. Runs on built-in toys.",
        ),
        "ja": (
            "クリップに音（自動キャプション）",
            "キャプションモデルが書いたプロンプトで、クリップに音を付けます。内蔵のデモモデルで動きます。",
        ),
        "zh": ("为片段配声音（自动描述）", "由描述模型写提示词，为片段配声音。使用内置演示模型运行。"),
    },
    "video_to_video_with_sound": {
        "en": ("A new look with sound", "A clip becomes another scene and gets its sound. Runs on built-in toys."),
        "ja": ("新しい見た目と音", "クリップを別の場面に変え、その音を付けます。内蔵のデモモデルで動きます。"),
        "zh": ("换新画面并配声音", "把片段变成另一个场景，并配上声音。使用内置演示模型运行。"),
    },
    "steer_any_image_model": {
        "en": ("Steer any image model", "Any MODEL makes the picture that fits a sound best. Runs on built-in toys."),
        "ja": (
            "どの画像モデルでも導く",
            "どの MODEL でも、音に最も合う画像を選んで作ります。内蔵のデモモデルで動きます。",
        ),
        "zh": ("引导任意图像模型", "任意 MODEL 都能生成最贴合声音的图片。使用内置演示模型运行。"),
    },
    "steer_any_audio_model": {
        "en": ("Steer any audio model", "Stable Audio, ACE-Step or a toy makes the sound that fits a clip best."),
        "ja": ("どの音声モデルでも導く", "Stable Audio、ACE-Step、デモモデルで、クリップに最も合う音を作ります。"),
        "zh": ("引导任意音频模型", "用 Stable Audio、ACE-Step 或演示模型生成最贴合片段的声音。"),
    },
    "steer_joint_model": {
        "en": (
            "Steer LTX with sound",
            "LTX-2.3 makes the video with sound that fits a picture and itself best. Needs 0.33.",
        ),
        "ja": ("音付き LTX を導く", "LTX-2.3 で、画像に合い、音と映像も合うビデオを作ります。0.33 以降が必要です。"),
        "zh": ("引导有声 LTX", "用 LTX-2.3 生成贴合图片且声画相配的视频。需要 0.33。"),
    },
    "real_video_to_sound": {
        "en": ("Sound for a clip, real models", "With ImageBind and AudioLDM, for non-commercial use."),
        "ja": ("クリップに音を付ける（実モデル）", "ImageBind と AudioLDM を使います。非商用のみ。"),
        "zh": ("为片段配声音（真实模型）", "使用 ImageBind 与 AudioLDM，仅限非商业用途。"),
    },
    "real_sound_to_video": {
        "en": ("Video for a sound, real models", "With ImageBind, Stable Diffusion 1.5 and AnimateDiff."),
        "ja": ("音に合うビデオ（実モデル）", "ImageBind、Stable Diffusion 1.5、AnimateDiff を使います。"),
        "zh": ("为声音配视频（真实模型）", "使用 ImageBind、Stable Diffusion 1.5 与 AnimateDiff。"),
    },
    "real_joint": {
        "en": ("Video with sound, real models", "With ImageBind, Stable Diffusion 1.5, AnimateDiff and AudioLDM."),
        "ja": ("音付きビデオ（実モデル）", "ImageBind、Stable Diffusion 1.5、AnimateDiff、AudioLDM を使います。"),
        "zh": ("有声视频（真实模型）", "使用 ImageBind、Stable Diffusion 1.5、AnimateDiff 与 AudioLDM。"),
    },
    "download_models": {
        "en": ("Get the real models", "Shows the size and licence of each model, and downloads what you accept."),
        "ja": ("実モデルを入手する", "各モデルのサイズとライセンスを示し、同意したものをダウンロードします。"),
        "zh": ("获取真实模型", "显示每个模型的大小和许可，并下载你同意的模型。"),
    },
}
LANGUAGES = ("en", "ja", "zh")
#: What the folder of this extension is called: by ComfyUI's registry, and by a clone of the repository.
FOLDERS = ("seeing-and-hearing", "ComfyUI-Seeing-and-Hearing")


def labels(language: str) -> dict[str, Any]:
    """The labels that ComfyUI's page looks up for the cards, as `main.json` of a language holds them."""
    kinds = {"template": 0, "templateDescription": 1}
    found = {
        kind: {folder: {name: card[language][place] for name, card in CARDS.items()} for folder in FOLDERS}
        for kind, place in kinds.items()
    }
    return {"templateWorkflows": found}
