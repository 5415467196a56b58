"""Every prediction type gives back the clean sample that the noisy one was made from."""

import pytest
import torch

from aligner.generators.ddim import x0_coefficients

ALPHA_BAR = 0.37


def _noisy_and_output(prediction_type, data, noise):
    signal, spread = ALPHA_BAR**0.5, (1 - ALPHA_BAR) ** 0.5
    return {
        "epsilon": (signal * data + spread * noise, noise),
        "v_prediction": (signal * data + spread * noise, signal * noise - spread * data),
        "sample": (signal * data + spread * noise, data),
    }[prediction_type]


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "sample"])
def test_x0_recovers_the_data(prediction_type, seeded):
    data, noise = torch.randn(2, 50, dtype=torch.float64, generator=seeded)
    latent, output = _noisy_and_output(prediction_type, data, noise)
    a, b = x0_coefficients(prediction_type, ALPHA_BAR)
    torch.testing.assert_close(a * latent + b * output, data)


def test_unknown_prediction_type_is_an_error():
    with pytest.raises(ValueError, match="score"):
        x0_coefficients("score", 0.5)
