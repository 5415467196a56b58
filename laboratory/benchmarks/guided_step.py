"""One guided step as the authors' released code takes it against ours: same weights, same latent, one run."""

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
from aligner.guidance.objective import Objective
from aligner.guidance.pairs import pairs
from aligner.guidance.rule import Guidance
from aligner.sampling import sample
from aligner.tensors.determinism import repeatable
from aligner.timing.clips import CLIP_SAMPLINGS

from .measure import interleaved_seconds, peak_bytes, ratio, seconds_of
from .scene import PROMPT, SIZES, Scene, make_scene

RATE = 0.1
CLIPS = CLIP_SAMPLINGS["released"]

#: How far apart float32 may bring two correct gradients, relative to their largest entry. Random networks
#: magnify rounding: either gradient is 0.3 % from what float64 gives, where the two agree to 12 digits.
TOLERANCE = 0.02

COLUMNS = {
    "size": "small: the demonstration's models; s, m, l: AudioLDM of that size with ImageBind-huge",
    "sound": "how long the generated sound is",
    "released": "a step as the released code takes it: median time",
    "ours": "a step of this project: median time",
    "time ratio": "released / ours: median (smallest to largest) of the repetitions",
    "released peak": "most bytes of tensors alive at once during a step, the weights not counted",
    "our peak": "the same of ours",
    "memory ratio": "released peak / our peak",
    "parts": "what no such step can do without, timed alone: the U-Net with classifier-free guidance; VAE\n"
    "decoder, vocoder, spectrogram and audio tower, and back from there to the latent",
    "ours / parts": "median (smallest to largest); 1 would be perfect",
    "conditions": "what ours spends once, before the first step, on encoding the video and the text",
}


class OurStep:
    """The project's own loop. The conditions are encoded when it is made, as before every generation."""

    def __init__(self, scene: Scene):
        self.scene = scene
        video = frames_condition(scene.binder, scene.clips.flatten(0, 1), Fraction(CLIP_FRAMES))
        conditions = label_conditions([video, text_condition(scene.binder, PROMPT)])
        self.objective = Objective(
            lambda signal: signal.embed(scene.binder, CLIPS),
            {name: condition.embedding for name, condition in conditions.items()},
            pairs(scene.denoiser.streams, conditions),
        )
        self.guidance = Guidance(rule="released", rates={"audio": RATE}, start=0.0)

    def __call__(self) -> torch.Tensor:
        scene = self.scene
        latents, _ = sample(
            scene.denoiser, {"audio": scene.latent}, {"audio": scene.prompt}, self.guidance, self.objective
        )
        return latents["audio"]


class ReleasedStep:
    """The same arithmetic with what the released code does around it.

    Video and text are encoded in every step, VAE and vocoder compute gradients of their weights, and anomaly
    detection is on. ImageBind is frozen there too, so that video and text leave no graph behind. Left out, in
    its favour: it also reads the tokenizer's vocabulary from disk in every step.
    """

    def __init__(self, scene: Scene):
        self.scene = scene
        model = scene.denoiser.model
        self.vae, self.vocoder = _trainable(model.vae), _trainable(model.vocoder)
        self.video = clip_input(scene.clips.transpose(1, 2), CLIPS.crops).flatten(0, 1)

    def __call__(self) -> torch.Tensor:
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
    """A twin of a frozen network that also computes gradients of its weights, which stay where they are."""
    twins = {id(weight): nn.Parameter(weight.detach()) for weight in network.parameters()}
    return copy.deepcopy(network, twins)


def _clip_by_clip(waveform: torch.Tensor, count: int) -> torch.Tensor:
    """A waveform (1, n) as ImageBind's input (count, 1, 128, 204), each clip's spectrogram by itself."""
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
    """The first unavoidable part: the U-Net, with and without prompt."""
    denoiser = scene.denoiser
    prompts = torch.cat([denoiser.negative, scene.prompt])
    both = denoiser.model.unet(
        torch.cat([scene.latent, scene.latent]), denoiser.timesteps[0], encoder_hidden_states=None, class_labels=prompts
    )
    unconditional, conditional = both.sample.chunk(2)
    return unconditional + denoiser.cfg * (conditional - unconditional)


def latent_gradient(scene: Scene) -> torch.Tensor:
    """The second unavoidable part: from the latent to the sound's embedding, and back to the latent alone."""
    model, latent = scene.denoiser.model, scene.latent.clone().requires_grad_()
    waveform = model.vocoder(model.vae.decode(latent / model.vae.config.scaling_factor).sample.squeeze(1))
    spans = CLIPS.audio.spans(waveform.shape[1] / SAMPLE_RATE, len(scene.clips))
    embeddings = scene.binder.audio(audio_input(waveform, SAMPLE_RATE, spans).flatten(0, 1))
    return torch.autograd.grad(embeddings.sum(), latent)[0]


@dataclass(frozen=True)
class Update:
    """What a step did: the latent before the optimiser moved it, its gradient, and the latent afterwards."""

    before: torch.Tensor
    gradient: torch.Tensor
    after: torch.Tensor


def observed(step: Callable[[], torch.Tensor]) -> Update:
    """Take a step and listen to its optimiser."""
    seen = []

    def listen(optimiser, *_):
        (latent,) = optimiser.param_groups[0]["params"]
        seen.append((latent.detach().clone(), latent.grad.clone()))

    hook = register_optimizer_step_pre_hook(listen)
    try:
        after = step()
    finally:
        hook.remove()
    ((before, gradient),) = seen
    return Update(before, gradient, after)


def require_same(ours: Update, released: Update, tolerance: float = TOLERANCE) -> None:
    """Raise AssertionError unless both versions computed the same update, and one that is not nothing."""
    largest = released.gradient.abs().max()
    assert largest > 0, "The gradient is zero everywhere: there is nothing to compare."
    # Adam's first step is the rate times the gradient's sign, and the sign of next to nothing is chance.
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
    """Build, check, measure: one row of the table. Checking and counting memory also warm everything up."""
    scene = make_scene(size, seconds, seed, device)
    ours = OurStep(scene)
    require_same(observed(ours), observed(ReleasedStep(scene)))
    # Made afresh, without gradients. From here on its weights keep theirs from step to step, as released.
    released = ReleasedStep(scene)
    # Two steps, because what weights keep from the first is still there in the second.
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
        "The weights are random: they cost what trained ones cost. Before anything is\n"
        "measured, both versions must compute the same gradient and the same latent.\n"
        "Versions take turns, so that a busy moment of the machine hits all of them; still,\n"
        "measure on an idle one.",
        epilog=f"columns:\n{columns}",
    )
    parser.add_argument(
        "--sizes",
        nargs="+",
        choices=SIZES,
        default=["small", "m"],
        metavar="SIZE",
        help="any of small, s, m, l; the last three hold 6 to 8 GB of weights (default: small m)",
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="length of the sound (default: %(default)s)")
    parser.add_argument(
        "--repetitions", type=int, default=5, metavar="N", help="how often each version is timed (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of weights, latent and video (default: %(default)s)")
    parser.add_argument(
        "--device",
        default="cuda" if torch.cuda.is_available() else "cpu",
        help="cpu, cuda, cuda:1, ... (default: the GPU if there is one)",
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
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
