"""A connected double: what an engine asks of a provider, on plain dictionaries."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from tests.doubles import changes, signatures
from tests.doubles.changes import DEFAULTS, Changes
from tests.doubles.handler import UNKNOWN, Double, Handler, Props, Refused
from tests.doubles.signatures import Mistake


class Resources:
    """The resources of one provider. Without a configuration it can check and compare, and nothing else."""

    def __init__(self, double: Double, config: Mapping[str, str] | None) -> None:
        cloud = None if config is None else double.connect(config)
        self._handlers = {one.token: one(cloud) for one in double.handlers}
        self._functions = {one.token: one(cloud) for one in double.functions}
        self._package = double.package

    def handler(self, token: str) -> Handler:
        signatures.arguments(token)
        if token not in self._handlers:
            raise Refused(f"the double of {self._package} has no {token}: write a handler for it")
        return self._handlers[token]

    def check(self, token: str, name: str, news: Props, olds: Props) -> tuple[Props, list[Mistake]]:
        """The inputs with their defaults, and everything that is wrong with them."""
        handler = self.handler(token)
        wrong = signatures.mistakes(token, news)
        if wrong:
            return news, wrong
        # What was filled in last time stays as it was, above all a generated name.
        kept = {one: olds[one] for one in olds.get(DEFAULTS, []) if one in olds and one not in news}
        given = {key: value for key, value in news.items() if key != DEFAULTS}
        try:
            checked = handler.check(name, kept | given)
        except Refused as error:
            return news, [Mistake(error.path, str(error))]
        filled = sorted((checked.keys() - given.keys()) | kept.keys())
        return checked | {DEFAULTS: filled}, signatures.mistakes(token, checked)

    def diff(self, token: str, outputs: Props, news: Props, ignored: Collection[str] = ()) -> Changes:
        return changes.between(self.handler(token), signatures.names(token), outputs, news, ignored)

    def create(self, token: str, inputs: Props) -> tuple[str, Props]:
        identifier, outputs = self.handler(token).create(_own(inputs))
        return identifier, _tidy(outputs)

    def read(
        self, token: str, identifier: str, outputs: Props, inputs: Props | None
    ) -> tuple[Props, Props] | None:
        """Its outputs and inputs as they are; None: it is gone."""
        found = self.handler(token).read(identifier, dict(outputs))
        if found is None:
            return None
        found = _tidy(found)
        return found, changes.inputs_of(signatures.names(token), found, inputs)

    def own_id(self, token: str, given: str) -> str:
        return self.handler(token).own_id(given)

    def update(self, token: str, identifier: str, olds: Props, news: Props) -> Props:
        return _tidy(self.handler(token).update(identifier, dict(olds), _own(news)))

    def delete(self, token: str, identifier: str, outputs: Props) -> None:
        self.handler(token).delete(identifier, dict(outputs))

    def preview(self, token: str, olds: Props | None, news: Props) -> Props:
        """The outputs that are known before an update: the rest is left out, which makes it unknown.

        But secrets are there: that they are secret is known.
        """
        names, handler = signatures.names(token), self.handler(token)
        kept = {key: value for key, value in (olds or {}).items() if key not in names - handler.computed}
        return dict.fromkeys(handler.secrets, UNKNOWN) | kept | _own(news)

    def secrets(self, token: str) -> frozenset[str]:
        return self.handler(token).secrets

    def call(self, token: str, args: Props) -> Props:
        signatures.require_function(token, args)
        if token not in self._functions:
            raise Refused(f"the double of {self._package} has no {token}: write a function for it")
        return self._functions[token].call(args)


def said(error: Refused) -> str:
    """A refusal as bridged providers put it."""
    return f"1 error occurred:\n\t* {error}\n\n"


def _own(inputs: Props) -> Props:
    return {name: value for name, value in inputs.items() if not name.startswith("__")}


def _tidy(outputs: Props) -> dict[str, Any]:
    return {name: value for name, value in outputs.items() if value is not None}
