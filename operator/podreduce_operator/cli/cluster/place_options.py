"""The options that say which cluster and namespace a command asks: the same for all of them."""

import inspect
from collections.abc import Callable
from functools import wraps

from podreduce_operator.cli.cluster.arguments import ContextOption, KubeconfigOption, NamespaceOption
from podreduce_operator.cli.cluster.place import Place

__all__ = ["with_place_options"]


def read_place(
    *, namespace: NamespaceOption = None, context_name: ContextOption = None, kubeconfig: KubeconfigOption = None
) -> Place:
    """Return the place that the options name."""
    return Place(kubeconfig=kubeconfig, context=context_name, namespace=namespace)


def with_place_options(command: Callable[..., None]) -> Callable[..., None]:
    """Return the command with the options that name a place, instead of its argument `place`.

    typer reads the options of a command from its signature, so the returned one has a signature of its own.
    """
    read: Callable[..., Place] = read_place
    own, of_place = inspect.signature(command).parameters, inspect.signature(read).parameters

    @wraps(command)
    def call(**given: object) -> None:
        named = {name: given.pop(name) for name in of_place}
        command(**given, place=read(**named))

    parameters = [*(each for name, each in own.items() if name != "place"), *of_place.values()]
    vars(call)["__signature__"] = inspect.Signature(parameters)
    return call
