from __future__ import annotations

import pytest

from tests.doubles import changes
from tests.doubles.changes import ADD, DEFAULTS, DELETE, UPDATE
from tests.doubles.handler import UNKNOWN, Handler, Props

NAMES = {"name", "tags", "rules", "size", "place"}


class Thing(Handler):
    token = "test:index/thing:Thing"
    replaces = frozenset({"name"})
    computed = frozenset({"place"})
    named = "name"


def differences(outputs: Props, news: Props, ignored: tuple[str, ...] = ()) -> dict[str, str]:
    return changes.between(Thing(None), NAMES, outputs, news, ignored).paths


@pytest.mark.parametrize(
    ("outputs", "news"),
    [
        ({"name": "a", "arn": "computed"}, {"name": "a", DEFAULTS: []}),
        ({"name": "a", "place": "EU"}, {"name": "a"}),  # the provider's own choice
        ({"name": "a", "tags": {}, "size": 0}, {"name": "a"}),
        ({"rules": [{"days": 3, "marker": False}]}, {"rules": [{"days": 3}]}),
    ],
)
def test_equal_or_empty_properties_are_no_difference(outputs: Props, news: Props):
    assert differences(outputs, news) == {}


@pytest.mark.parametrize(
    ("outputs", "news", "paths"),
    [
        ({"size": 1}, {"size": 2}, {"size": UPDATE}),
        ({}, {"size": 2}, {"size": ADD}),
        ({"tags": {"x": "y"}}, {}, {"tags": DELETE}),  # a drift that the program says nothing about
        ({"tags": {"x": "y"}}, {"tags": {"x": "z", "new": "n"}}, {"tags.x": UPDATE, "tags.new": ADD}),
        ({"place": "EU"}, {"place": "US"}, {"place": UPDATE}),
        (
            {"rules": [{"days": 3}]},
            {"rules": [{"days": 4}, {"days": 5}]},
            {"rules[0].days": UPDATE, "rules[1]": ADD},
        ),
        ({"rules": [1, 2]}, {"rules": [1]}, {"rules[1]": DELETE}),
        ({"size": 1}, {"size": UNKNOWN}, {"size": UPDATE}),
    ],
)
def test_each_difference_is_named_by_its_path_and_kind(outputs: Props, news: Props, paths: dict[str, str]):
    assert differences(outputs, news) == paths


def test_ignored_properties_are_no_difference():
    assert differences({"tags": {"x": "y"}, "size": 1}, {"size": 2}, ("tags",)) == {"size": UPDATE}
    assert differences({"tags": {"x": "y"}}, {"tags": {"x": "z"}}, ("tags.x",)) == {}


def test_a_replacement_with_the_same_given_name_deletes_before_it_creates():
    def found(name: str, news: Props) -> changes.Changes:
        thing = Thing(None)
        thing.replaces = frozenset({"name", "size"})  # type: ignore[misc]
        return changes.between(thing, NAMES, {"name": name, "size": 1}, news)

    assert found("a", {"name": "a", "size": 2, DEFAULTS: []}).delete_before_replace
    assert not found("a", {"name": "a", "size": 2, DEFAULTS: ["name"]}).delete_before_replace
    assert not found("a", {"name": "b", "size": 2, DEFAULTS: []}).delete_before_replace
    assert found("a", {"name": "b", "size": 2, DEFAULTS: []}).replaces == ["name", "size"]


def test_inputs_after_a_read_have_the_values_that_were_read():
    outputs = {"name": "a", "tags": {"x": "new", "added": "y"}, "place": "EU", "arn": "computed"}
    old = {"name": "a", "tags": {"x": "old"}, DEFAULTS: ["name"]}
    assert changes.inputs_of(NAMES, outputs, old) == {"name": "a", "tags": {"x": "new"}, DEFAULTS: ["name"]}
    imported = {"name": "a", "tags": outputs["tags"], "place": "EU", DEFAULTS: []}
    assert changes.inputs_of(NAMES, outputs, None) == imported
