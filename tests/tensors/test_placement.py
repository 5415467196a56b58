"""Networks are moved to a device within a context, and back."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from aligner.tensors.placement import placed


class Traveller(nn.Module):
    """A stand-in for a network that records its devices, for machines with only one device."""

    def __init__(self, home: str, refuses: str = ""):
        super().__init__()
        self.diary, self.refuses = [torch.device(home)], refuses

    def parameters(self, recurse: bool = True):
        yield SimpleNamespace(device=self.diary[-1])

    def to(self, device):
        if torch.device(device).type == self.refuses:
            raise RuntimeError("out of memory")
        self.diary.append(torch.device(device))

    @property
    def places(self) -> list[str]:
        return [device.type for device in self.diary]


def test_modules_come_back_to_where_each_was():
    one, other = Traveller("cpu"), Traveller("cuda")
    with placed(iter([one, other]), "mps"):
        assert one.places == ["cpu", "mps"] and other.places == ["cuda", "mps"]
    assert one.places == ["cpu", "mps", "cpu"] and other.places == ["cuda", "mps", "cuda"]


def test_they_come_back_after_an_error():
    network = Traveller("cpu")
    with pytest.raises(KeyboardInterrupt), placed([network], "cuda"):
        raise KeyboardInterrupt
    assert network.places[-1] == "cpu"


def test_where_one_finds_no_room_those_before_it_come_back():
    first, large = Traveller("cpu"), Traveller("cpu", refuses="cuda")
    with pytest.raises(RuntimeError, match="out of memory"), placed([first, large], "cuda"):
        pytest.fail("the work was begun without the second network")
    assert first.places[-1] == large.places[-1] == "cpu"


def test_where_there_is_nowhere_to_go_nothing_is_copied():
    network = nn.Linear(2, 2).requires_grad_(False)
    address, weight = network.weight.data_ptr(), network.weight
    with placed([network], "cpu"):
        assert network.weight.data_ptr() == address
    assert network.weight is weight and weight.data_ptr() == address


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_on_a_real_device():
    needed, idle = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    expected = {name: tensor.clone() for name, tensor in needed.state_dict().items()}
    with placed([needed], "cuda"):
        assert {tensor.device.type for tensor in needed.state_dict().values()} == {"cuda"}
        assert {tensor.device.type for tensor in idle.state_dict().values()} == {"cpu"}
    assert {tensor.device.type for tensor in needed.state_dict().values()} == {"cpu"}
    for name, tensor in needed.state_dict().items():
        assert torch.equal(tensor, expected[name])
