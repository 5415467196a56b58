"""What is wrong before anything runs: ComfyUI asks every node when the user presses Run.

A node may have a classmethod `require(cls, connected, **values)`, which raises AlignerError. connected: the names of
its wired inputs. values: those of its widgets that it names. It is asked twice. The first time is early, while the
values of wires are unknown. The second time is before the node runs.
"""

from collections.abc import Callable, Mapping, Set
from inspect import Parameter, Signature, signature
from typing import Any

from comfy_api.latest import io
from comfy_execution.validation import validate_node_input

from ...aligner.errors import AlignerError
from .plain_errors import plain_errors


def early_check(node: type[io.ComfyNode], passed: Callable[[io.Input, object], Any]) -> classmethod:
    """The `validate_inputs` of a node with a `require`.

    passed: checks the value of a widget. ComfyUI leaves both to this function: it compares neither the types of wires
    nor the values of widgets that the function names. The page shows what an exception says at once.
    """
    names = _widgets(node)

    def validate_inputs(cls, input_types=None, **values) -> bool:
        sockets = {each.id: each for each in cls.define_schema().inputs}
        wired = input_types or {}
        with plain_errors():
            for name, kind in wired.items():
                _require_type(sockets[name], kind)
            values = {name: passed(sockets[name], value) for name, value in values.items() if name not in wired}
            require_early(cls, set(wired), values)
        return True

    parameters = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in ("cls", "input_types", *names)]
    vars(validate_inputs)["__signature__"] = Signature(parameters)
    return classmethod(validate_inputs)


def require_early(node: type[io.ComfyNode], connected: Set[str], values: Mapping[str, Any]) -> None:
    """Raise AlignerError as the node's `require` does. Without one of its values nothing is checked."""
    if hasattr(node, "require") and all(name in values for name in _widgets(node)):
        node.require(connected, **{name: values[name] for name in _widgets(node)})


def _widgets(node: type[io.ComfyNode]) -> list[str]:
    return [name for name in signature(node.require).parameters if name != "connected"]


def _require_type(socket: io.Input, kind: str) -> None:
    if not validate_node_input(kind, socket.get_io_type()):
        raise AlignerError(f"{socket.id} takes {socket.get_io_type()}, not {kind}. Connect another output.")
