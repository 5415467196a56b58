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
        clip = waveform[:, int(start * rate):int((start + 1) * rate)]
        clip = clip - clip.mean()
        with default_dtype(waveform.dtype):
            mel = torchaudio.compliance.kaldi.fbank(
                clip, htk_compat=True, sample_frequency=rate, use_energy=False, window_type="hanning",
                num_mel_bins=128, dither=0.0, frame_length=25, frame_shift=10).T
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


def paper_rule(model, binder, z, y, negative, targets, *, steps, seconds, cfg=2.5, lr=0.1, prompt_lr=0.0, first=0):
    """Eq. 11 to 13 and 17: plain gradient steps on z_t and y, through the network, before the scheduler's step."""
    scheduler = DDIMScheduler.from_config(model.scheduler_config)
    scheduler.set_timesteps(steps)
    for i, t in enumerate(scheduler.timesteps):
        z, y = z.clone().requires_grad_(True), y.clone().requires_grad_(True)
        noise = network(model, z, t, negative, y, cfg)
        if i >= first:
            alpha_bar = scheduler.alphas_cumprod[t].item()
            z0 = z / alpha_bar**0.5 - ((1 - alpha_bar) / alpha_bar) ** 0.5 * noise
            loss = alignment_loss(binder, waveform_of(model, z0), seconds, targets)
            dz, dy = torch.autograd.grad(loss, [z, y])
            z, y = z - lr * dz, y - prompt_lr * dy
        with torch.no_grad():
            z = scheduler.step(noise, t, z, eta=0.0).prev_sample
        y = y.detach()
    return z, y
