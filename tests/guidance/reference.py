"""The guided loop written out plainly, from the paper and the released code's behaviour, sharing no code with ours.

Networks are the same objects; everything between them is spelled out: the update, the schedule, the clips, the
spectrogram (torchaudio's own), the loss.
"""

import math
from contextlib import contextmanager

import torch
import torch.nn.functional as F
import torchaudio
from diffusers import DDIMScheduler


@contextmanager
def default_dtype(dtype):
    """torchaudio makes its mel filters in the default dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def audio_embedding(binder, waveform, seconds):
    """Mean over 1 s clips of ImageBind's audio embedding of a waveform (1, n) at 16 kHz."""
    count, rate = math.ceil(seconds), 16000
    last_start = max(waveform.shape[1] / rate - 1, 0)
    mels = []
    for k in range(count):
        start = last_start * k / max(count - 1, 1)
        clip = waveform[:, int(start * rate) : int((start + 1) * rate)]
        clip = clip - clip.mean()
        with default_dtype(waveform.dtype):
            mel = torchaudio.compliance.kaldi.fbank(
                clip,
                htk_compat=True,
                sample_frequency=rate,
                use_energy=False,
                window_type="hanning",
                num_mel_bins=128,
                dither=0.0,
                frame_length=25,
                frame_shift=10,
            ).T
        mel = F.pad(mel, (0, 204 - mel.shape[1]))
        mels.append((mel - -4.268) / 9.138)
    return binder.audio(torch.stack(mels)[:, None]).mean(dim=0, keepdim=True)


def alignment_loss(binder, waveform, seconds, targets):
    embedding = audio_embedding(binder, waveform, seconds)
    return sum(1 - F.cosine_similarity(target, embedding) for target in targets).sum()


def network(model, z, t, negative, y, cfg):
    noise = model.unet(torch.cat([z, z]), t, encoder_hidden_states=None, class_labels=torch.cat([negative, y])).sample
    unconditional, conditional = noise.chunk(2)
    return unconditional + cfg * (conditional - unconditional)


def waveform_of(model, z0):
    mel = model.vae.decode(z0 / model.vae.config.scaling_factor).sample
    return model.vocoder(mel.squeeze(1))


def released_rule(model, binder, z, y, negative, targets, *, steps, seconds, cfg=2.5, lr=0.1, warm_up=0.2):
    """Adam on the latent after the scheduler's step; prediction and noise level stay those of before it."""
    scheduler = DDIMScheduler.from_config(model.scheduler_config)
    scheduler.set_timesteps(steps)
    trajectory = []
    for i, t in enumerate(scheduler.timesteps):
        with torch.no_grad():
            noise = network(model, z, t, negative, y, cfg)
            z = scheduler.step(noise, t, z, eta=0.0).prev_sample
        if i > int(steps * warm_up):
            z = z.clone().requires_grad_(True)
            optimizer = torch.optim.Adam([z], lr=lr)
            alpha_bar = scheduler.alphas_cumprod[t].item()
            z0 = 1 / alpha_bar**0.5 * (z - (1 - alpha_bar) ** 0.5 * noise)
            alignment_loss(binder, waveform_of(model, z0), seconds, targets).backward()
            optimizer.step()
            z = z.detach()
        trajectory.append(z)
    return trajectory


def paper_rule(
    model, binder, z, y, negative, targets, *, steps, seconds, cfg=2.5, lr=0.1, prompt_lr=0.0, first=0, moves=1
):
    """Algorithm 1 with eq. 11 to 13 and 17: at each step from `first` on, z_t and y go `moves` times down the gradient
    through the network; the scheduler's step is taken with a new prediction for the moved z_t and y."""
    scheduler = DDIMScheduler.from_config(model.scheduler_config)
    scheduler.set_timesteps(steps)
    for i, t in enumerate(scheduler.timesteps):
        for _ in range(moves if i >= first else 0):
            z, y = z.clone().requires_grad_(True), y.clone().requires_grad_(True)
            noise = network(model, z, t, negative, y, cfg)
            alpha_bar = scheduler.alphas_cumprod[t].item()
            z0 = z / alpha_bar**0.5 - ((1 - alpha_bar) / alpha_bar) ** 0.5 * noise
            loss = alignment_loss(binder, waveform_of(model, z0), seconds, targets)
            dz, dy = torch.autograd.grad(loss, [z, y])
            z, y = (z - lr * dz).detach(), (y - prompt_lr * dy).detach()
        with torch.no_grad():
            z = scheduler.step(network(model, z, t, negative, y, cfg), t, z, eta=0.0).prev_sample
    return z, y


def video_network(model, z, t, negative, y, cfg):
    frames = z.shape[2]
    unconditional, conditional = (
        model.unet(z, t, encoder_hidden_states=prompt.repeat_interleave(frames, dim=0)).sample
        for prompt in (negative, y)
    )
    return unconditional + cfg * (conditional - unconditional)


def video_embedding(binder, model, z0, shown):
    """Mean over clips of ImageBind's embedding of a video of latents (1, C, F, h, w), every frame of it decoded.

    shown: the pair of frames that stands for each clip. Pictures must be square, so that there is nothing to squash.
    """
    latents = z0[0].transpose(0, 1) / model.vae.config.scaling_factor
    pixels = (model.vae.decode(latents).sample / 2 + 0.5).clamp(0, 1)
    pixels = F.interpolate(pixels, size=(224, 224), mode="bilinear", align_corners=False)
    mean = pixels.new_tensor([0.48145466, 0.4578275, 0.40821073]).view(1, 3, 1, 1)
    std = pixels.new_tensor([0.26862954, 0.26130258, 0.27577711]).view(1, 3, 1, 1)
    pixels = (pixels - mean) / std
    clips = torch.stack([torch.stack([pixels[first], pixels[last]], dim=1) for first, last in shown])
    return binder.vision(clips).mean(dim=0, keepdim=True)


def joint_released_rule(
    video,
    audio,
    binder,
    z,
    y,
    negative,
    text,
    *,
    steps,
    seconds,
    shown,
    lr,
    prompt_lr,
    first,
    video_cfg=7.5,
    audio_cfg=2.5,
):
    """Algorithm 1 with the triangle loss (eq. 16): both generators step, then Adam moves both latents and the video's
    prompt. z, y, negative: by stream; text: ImageBind's embedding (1, D) of the prompt."""
    schedulers = {
        "video": DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="linear",
            steps_offset=1,
            clip_sample=False,
            timestep_spacing="linspace",
        ),
        "audio": DDIMScheduler.from_config(audio.scheduler_config),
    }
    for scheduler in schedulers.values():
        scheduler.set_timesteps(steps)
    z, y = dict(z), dict(y)
    for i in range(steps):
        t = {name: scheduler.timesteps[i] for name, scheduler in schedulers.items()}
        y["video"] = y["video"].detach().clone().requires_grad_(True)
        noise = {"video": video_network(video, z["video"], t["video"], negative["video"], y["video"], video_cfg)}
        with torch.no_grad():
            noise["audio"] = network(audio, z["audio"], t["audio"], negative["audio"], y["audio"], audio_cfg)
            z = {name: schedulers[name].step(noise[name], t[name], z[name], eta=0.0).prev_sample for name in z}
        if i >= first:
            z = {name: latent.clone().requires_grad_(True) for name, latent in z.items()}
            optimizer = torch.optim.Adam(
                [
                    {"params": [z["video"]], "lr": lr["video"]},
                    {"params": [z["audio"]], "lr": lr["audio"]},
                    {"params": [y["video"]], "lr": prompt_lr},
                ]
            )
            abar = {name: schedulers[name].alphas_cumprod[t[name]].item() for name in z}
            z0 = {name: (z[name] - (1 - abar[name]) ** 0.5 * noise[name]) / abar[name] ** 0.5 for name in z}
            seen = video_embedding(binder, video, z0["video"], shown)
            heard = audio_embedding(binder, waveform_of(audio, z0["audio"]), seconds)
            loss = sum(1 - F.cosine_similarity(x, target) for x, target in ((seen, text), (seen, heard), (heard, text)))
            loss.sum().backward()
            optimizer.step()
            z = {name: latent.detach() for name, latent in z.items()}
        y["video"] = y["video"].detach()
    return z, y
