"""One guided step of the authors' released code beside the same step of this project, on the same weights."""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import median

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from aligner.binders.imagebind.audio import MEAN, SAMPLE_RATE, STD, audio_input
from aligner.binders.imagebind.tokenizer import tokenize
from aligner.binders.imagebind.towers import CLIP_FRAMES, MEL_BINS, MEL_FRAMES
from aligner.binders.imagebind.vision import clip_input
from aligner.conditions.encoding import frames_condition, text_condition
from aligner.guidance.gradient import Released
from aligner.guidance.objective import PUBLISHED
from aligner.guidance.rule import Run
from aligner.plan import make_plan
from aligner.sampling import sample
from aligner.tensors.determinism import repeatable
from aligner.timing.clips import CLIP_SAMPLINGS

from .measure import interleaved_seconds, peak_bytes, ratio, seconds_of
from .scene import PROMPT, SIZES, Scene, make_scene

RATE = 0.1
RULE = Released(rates={"audio": RATE}, prompt_rates={}, start=0.0, checkpointing=False)
CLIPS = CLIP_SAMPLINGS[PUBLISHED.clips]

#: How much two correct gradients may differ in float32, relative to their largest entry. Random networks magnify
#: rounding: each gradient is 0.3 % from its value in float64, where the two agree to 12 digits.
TOLERANCE = 0.02

COLUMNS = {
    "size": "small: small random models; s, m, l: AudioLDM of that size with ImageBind-huge",
    "sound": "length of the generated sound",
    "released": "median time of a step of the released code",
    "ours": "median time of a step of this project",
    "time ratio": "released / ours: median (smallest to largest) of the repetitions",
    "released peak": "most bytes of tensors alive at once during a step, without the weights",
    "our peak": "the same for a step of this project",
    "memory ratio": "released peak / our peak",
    "parts": "median time of the parts that no such step can omit: the U-Net with classifier-free\n"
    "guidance; VAE decoder, vocoder, spectrogram and audio tower, forwards and back to the latent",
    "ours / parts": "median (smallest to largest); 1 would be perfect",
    "conditions": "time to encode the video and the text, which ours does once, before the first step",
}


class OurStep:
    """A step of this project's loop. Its conditions are encoded once, when it is made."""

    def __init__(self, scene: Scene):
        self.latents, self.prompts = {"audio": scene.latent}, {"audio": scene.prompt}
        frames = scene.clips.flatten(0, 1)
        video = frames_condition(scene.binder, frames, Fraction(CLIP_FRAMES), clips=PUBLISHED.clips)
        self.plan = make_plan(RULE, scene.denoiser, scene.binder, [video, text_condition(scene.binder, PROMPT)])

    def __call__(self) -> torch.Tensor:
        """Take the step; returns the latent after it."""
        run = Run(self.plan.scope, lambda: self.latents, lambda step: None, self.plan.total)
        return sample(RULE, run, self.latents, self.prompts).latents["audio"]


class ReleasedStep:
    """The same arithmetic, with the other work of the released code.

    The released code encodes video and text in every step, computes gradients of the weights of VAE and vocoder, and
    has anomaly detection on. Its ImageBind is frozen, so that video and text leave no graph. It also reads the
    vocabulary of the tokenizer from disk in every step, which is omitted here in its favour.
    """

    def __init__(self, scene: Scene):
        self.scene = scene
        model = scene.denoiser.model
        self.vae, self.vocoder = _trainable(model.vae), _trainable(model.vocoder)
        self.video = clip_input(scene.clips.transpose(1, 2), CLIPS.crops).flatten(0, 1)

    def __call__(self) -> torch.Tensor:
        """Take the step; returns the latent after it."""
        scheduler, binder = self.scene.denoiser.scheduler, self.scene.binder
        timestep, noise = self.scene.denoiser.timesteps[0], predicted_noise(self.scene)
        latent = scheduler.step(noise, timestep, self.scene.latent).prev_sample.requires_grad_()
        optimiser = torch.optim.Adam([latent], lr=RATE)
        with torch.autograd.set_detect_anomaly(True):
            alpha_bar = scheduler.alphas_cumprod[timestep].item()
            clean = (latent - (1 - alpha_bar) ** 0.5 * noise) / alpha_bar**0.5
            mel = self.vae.decode(clean / self.vae.config.scaling_factor).sample.squeeze(1)
            audio = binder.audio(_clip_by_clip(self.vocoder(mel), len(self.video))).mean(dim=0)
            video = binder.vision(self.video).mean(dim=0)
            text = binder.text(tokenize([PROMPT]).to(latent.device))[0]
            loss = sum(1 - F.cosine_similarity(audio, target, dim=0) for target in (video, text))
            loss.backward()
        optimiser.step()
        return latent.detach()


def _trainable(network: nn.Module) -> nn.Module:
    """A copy of a frozen network that computes gradients of its weights and shares their memory."""
    copies = {id(weight): nn.Parameter(weight.detach()) for weight in network.parameters()}
    return copy.deepcopy(network, copies)


def _clip_by_clip(waveform: torch.Tensor, count: int) -> torch.Tensor:
    """A waveform (1, n) as ImageBind's input (count, 1, 128, 204), one spectrogram per clip."""
    from torchaudio.compliance.kaldi import fbank

    mels = []
    for start, end in CLIPS.audio.spans(waveform.shape[1] / SAMPLE_RATE, count):
        clip = waveform[:, int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)]
        mel = fbank(
            clip - clip.mean(),
            sample_frequency=SAMPLE_RATE,
            num_mel_bins=MEL_BINS,
            window_type="hanning",
            htk_compat=True,
            use_energy=False,
            dither=0.0,
        ).T
        mels.append((F.pad(mel, (0, MEL_FRAMES - mel.shape[1])) - MEAN) / STD)
    return torch.stack(mels)[:, None]


@torch.no_grad()
def predicted_noise(scene: Scene) -> torch.Tensor:
    """The first unavoidable part: the U-Net with classifier-free guidance."""
    denoiser = scene.denoiser
    prompts = torch.cat([denoiser.negative, scene.prompt])
    both = denoiser.model.unet(
        torch.cat([scene.latent, scene.latent]), denoiser.timesteps[0], encoder_hidden_states=None, class_labels=prompts
    )
    unconditional, conditional = both.sample.chunk(2)
    return unconditional + denoiser.cfg * (conditional - unconditional)


def latent_gradient(scene: Scene) -> torch.Tensor:
    """The second unavoidable part: from the latent to the sound's embedding, and back to the latent."""
    model, latent = scene.denoiser.model, scene.latent.clone().requires_grad_()
    waveform = model.vocoder(model.vae.decode(latent / model.vae.config.scaling_factor).sample.squeeze(1))
    spans = CLIPS.audio.spans(waveform.shape[1] / SAMPLE_RATE, len(scene.clips))
    embeddings = scene.binder.audio(audio_input(waveform, SAMPLE_RATE, spans).flatten(0, 1))
    return torch.autograd.grad(embeddings.sum(), latent)[0]


@dataclass(frozen=True)
class Update:
    """The effect of a step: the latent before the optimiser's update, its gradient, and the latent after it."""

    before: torch.Tensor
    gradient: torch.Tensor
    after: torch.Tensor


def observed(step: Callable[[], torch.Tensor]) -> Update:
    """Take a step and record the update of its optimiser."""
    seen = []

    def record(optimiser, *_):
        (latent,) = optimiser.param_groups[0]["params"]
        seen.append((latent.detach().clone(), latent.grad.clone()))

    hook = register_optimizer_step_pre_hook(record)
    try:
        after = step()
    finally:
        hook.remove()
    ((before, gradient),) = seen
    return Update(before, gradient, after)


def require_same(ours: Update, released: Update, tolerance: float = TOLERANCE) -> None:
    """Raise AssertionError unless both versions computed the same update and its gradient is not zero."""
    largest = released.gradient.abs().max()
    assert largest > 0, "The gradient is zero everywhere: there is nothing to compare."
    # Adam's first step is the rate times the gradient's sign. Where the gradient is tiny, rounding decides its sign.
    clear = released.gradient.abs() > TOLERANCE * largest
    for what, scale, x, y in (
        ("latents before the update", RATE, ours.before, released.before),
        ("gradients", largest, ours.gradient, released.gradient),
        ("latents after the update", RATE, ours.after[clear], released.after[clear]),
    ):
        torch.testing.assert_close(
            x / scale,
            y / scale,
            rtol=0,
            atol=tolerance,
            msg=lambda text: f"The {what} of the two versions differ. {text}",
        )


def compare(size: str, seconds: float, repetitions: int, seed: int, device: torch.device) -> list[str]:
    """One row of the table: build, check and measure. Checking and counting memory also warm everything up."""
    scene = make_scene(size, seconds, seed, device)
    ours = OurStep(scene)
    require_same(observed(ours), observed(ReleasedStep(scene)))
    # A new copy, whose weights have no gradients yet. From here on they keep theirs from step to step, as released.
    released = ReleasedStep(scene)
    # Two steps, because the gradients of the weights stay in memory from the first step to the second.
    our_peak, released_peak = (peak_bytes(lambda: (step(), step()), device, scene.weights) for step in (ours, released))
    works = {
        "released": released,
        "ours": ours,
        "network": lambda: predicted_noise(scene),
        "gradient": lambda: latent_gradient(scene),
    }
    times = interleaved_seconds(works, repetitions, device)
    parts = [network + gradient for network, gradient in zip(times["network"], times["gradient"])]
    return [
        size,
        f"{seconds:g} s",
        _milliseconds(times["released"]),
        _milliseconds(times["ours"]),
        ratio(times["released"], times["ours"]),
        _mebibytes(released_peak),
        _mebibytes(our_peak),
        f"{released_peak / our_peak:.2f}",
        _milliseconds(parts),
        ratio(times["ours"], parts),
        _milliseconds([seconds_of(lambda: OurStep(scene), device)]),
    ]


def _milliseconds(seconds: Sequence[float]) -> str:
    return f"{1000 * median(seconds):.0f} ms"


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:.0f} MiB"


def _line(cells) -> str:
    return f"| {' | '.join(cells)} |"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    columns = "\n".join(f"  {name:15}" + meaning.replace("\n", "\n" + 17 * " ") for name, meaning in COLUMNS.items())
    parser = argparse.ArgumentParser(
        prog="python -m laboratory.benchmarks.guided_step",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=f"{__doc__}\n\n"
        "The weights are random and cost as much as trained ones. Before anything is\n"
        "measured, both versions must compute the same gradient and the same latent.\n"
        "Versions take turns, so that a busy moment of the machine affects all of them.\n"
        "Still, measure on an idle machine.",
        epilog=f"columns:\n{columns}",
    )
    parser.add_argument(
        "--sizes",
        nargs="+",
        choices=SIZES,
        default=["small", "m"],
        metavar="SIZE",
        help="any of small, s, m, l; the last three have 6 to 8 GB of weights (default: small m)",
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="length of the sound (default: %(default)s)")
    parser.add_argument(
        "--repetitions", type=int, default=5, metavar="N", help="timings of each version (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of weights, latent and video (default: %(default)s)")
    parser.add_argument(
        "--device",
        default="cuda" if torch.cuda.is_available() else "cpu",
        help="cpu, cuda, cuda:1, ... (default: the GPU, where there is one)",
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table with a row for each size."""
    options = _options(arguments)
    device = torch.device(options.device)
    cuda = device.type == "cuda"
    machine = torch.cuda.get_device_name(device) if cuda else f"threads: {torch.get_num_threads()}"
    print(f"{device}, {machine}, torch {torch.__version__}\n")
    print(_line(COLUMNS), _line("-" * len(column) for column in COLUMNS), sep="\n", flush=True)
    with repeatable(device):
        for size in options.sizes:
            row = compare(size, options.seconds, options.repetitions, options.seed, device)
            print(_line(row), flush=True)


if __name__ == "__main__":
    main()
