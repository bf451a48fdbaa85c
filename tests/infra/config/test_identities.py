from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from infra.config.identities import APP, IDENTITIES, RIGHTS, ROLES, Identity
from infra.config.load import parse
from infra.config.reader import Reader
from infra.config.trust import Trust

PRINCIPAL = "arn:aws:iam::123456789012:role/batch"
OTHER = "arn:aws:iam::123456789012:role/other"


def read(entries: tuple[object, ...]) -> tuple[tuple[Identity, ...], list[str]]:
    reader = Reader({})
    return IDENTITIES.read(reader, "identities", list(entries)), reader.problems


def identities(*entries: object) -> tuple[Identity, ...]:
    found, said = read(entries)
    assert said == []
    return found


def problems(*entries: object) -> list[str]:
    return read(entries)[1]


def of_roles(**settings: object) -> tuple[Identity, ...]:
    """The identities of an environment with `credentials: role`."""
    return parse(
        "test", {"target": "aws", "region": "eu-west-1", "credentials": "role"} | settings, "here"
    ).identities


def one(**section: object) -> dict[str, Any]:
    return {"name": "web", "rights": "viewer"} | section


def test_the_application_alone_is_the_default():
    aws = {"target": "aws", "region": "eu-west-1"}
    assert parse("test", aws, "here").identities == (APP,)
    assert parse("test", aws | {"identities": []}, "here").identities == (APP,)
    assert (APP.name, APP.rights, APP.prefixes, APP.trust) == ("app", RIGHTS["app"], {}, None)


@pytest.mark.parametrize("word", RIGHTS)
def test_a_single_word_is_the_identity_of_that_name(word):
    assert identities(word) == (Identity(name=word, rights=RIGHTS[word]),)


def test_a_mapping_gives_rights_another_name_and_prefixes():
    web = one(prefixes={"in": ["clips/"], "out": ["frames/", "overlays/2026/"]})
    assert identities("app", web) == (
        APP,
        Identity(
            name="web",
            rights=RIGHTS["viewer"],
            prefixes={"in": ("clips/",), "out": ("frames/", "overlays/2026/")},
        ),
    )


def test_a_mapping_with_the_name_of_rights_has_these_rights():
    assert identities({"name": "viewer"}) == identities("viewer")
    assert identities({"name": "pipeline", "rights": "viewer"})[0].rights == RIGHTS["viewer"]


def test_identities_keep_the_order_in_which_they_are_listed():
    assert [found.name for found in identities("viewer", one(), "app")] == ["viewer", "web", "app"]


def test_prefixes_of_one_bucket_do_not_limit_the_other():
    (found,) = identities(one(prefixes={"out": ["frames/"]}))
    assert found.prefixes == {"out": ("frames/",)}
    assert identities(one(prefixes={}))[0].prefixes == {}


def test_trust_is_for_all_and_that_of_an_entry_for_it_alone():
    common, own = {"principals": [PRINCIPAL]}, {"principals": [OTHER]}
    app, web = of_roles(identities=["app", one(trust=own)], trust=common)
    assert app.trust == Trust(principals=(PRINCIPAL,))
    assert web.trust == Trust(principals=(OTHER,))
    (alone,) = of_roles(trust=common)
    assert (alone.name, alone.trust) == ("app", Trust(principals=(PRINCIPAL,)))


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        (["root"], "identities[0]: must be one of app, pipeline, ingest, viewer, got root"),
        (["app", "app"], "identities[1]: app is listed twice; give one of them another `name`"),
        (["viewer", {"name": "viewer"}], "identities[1]: viewer is listed twice; give one of them another `name`"),
        ([one(), one(rights="app")], "identities[1]: web is listed twice; give one of them another `name`"),
        ([3], "identities[0]: must be a word or a mapping, got 3"),
        ([None], "identities[0]: has no value: write one, or remove it"),
        ([["app"]], "identities[0]: must be a word or a mapping, got a list"),
        ([""], "identities[0]: must be a word or a mapping, got ''"),
        ([{"rights": "viewer"}], "identities[0].name: is required"),
        ([one(name=7)], "identities[0].name: must be text, got 7"),
        ([{"name": "web"}], "identities[0].rights: is required, one of app, pipeline, ingest, viewer"),
        ([one(rights="viewr")], "identities[0].rights: must be one of app, pipeline, ingest, viewer, got viewr"),
        ([one(rights=["app"])], "identities[0].rights: must be text, got a list"),
        ([one(prefix={})], "identities[0].prefix: unknown key, did you mean prefixes?"),
        ([one(prefixes=["frames/"])], "identities[0].prefixes: must be a mapping, got a list"),
        ([one(prefixes={"outt": ["a/"]})], "identities[0].prefixes.outt: unknown key, did you mean out?"),
        ([one(prefixes={"out": "frames/"})], "identities[0].prefixes.out: must be a list, got frames/"),
        ([one(prefixes={"out": [1]})], "identities[0].prefixes.out[0]: must be text, got 1"),
        ([one(prefixes={"out": ["a/", "a/"]})], "identities[0].prefixes.out[1]: a/ is listed twice"),
        (
            [one(prefixes={"out": []})],
            "identities[0].prefixes.out: must name a prefix; leave it out for the whole bucket",
        ),
        (
            [one(prefixes={"out": None})],
            "identities[0].prefixes.out: has no value: write one, or remove it",
        ),
        (
            [{"name": "up", "rights": "ingest", "prefixes": {"out": ["a/"]}}],
            "identities[0].prefixes.out: these rights do not include this bucket",
        ),
        (
            [one(trust={"github": ["acme/*:x"]})],
            "identities[0].trust.github[0]: must be an exact owner/repository",
        ),
        ([one(trust={})], "identities[0].trust: must name github, eks or principals"),
    ],
)
def test_a_mistake_is_named_with_its_path(entries, problem):
    assert any(found.startswith(problem) for found in problems(*entries)), problems(*entries)


@pytest.mark.parametrize(
    "name", ["admin", "identities", "a", "a" * 17, "Web", "9web", "we-b", "we_b", "we.b", "wéb", "web\n", " web"]
)
def test_a_name_that_no_cloud_or_variable_takes_is_refused(name):
    rule = "must be 2 to 16 of a-z and 0-9, start with a letter and not be admin or identities"
    assert problems(one(name=name)) == [f"identities[0].name: {rule}, got {name}"]


@pytest.mark.parametrize("name", ["ab", "a" * 16, "cam2", "administrator", "identity"])
def test_a_name_of_2_to_16_letters_and_digits_is_accepted(name):
    assert identities(one(name=name))[0].name == name


BAD_PREFIXES = [
    *("frames", "frames/4", "/", "//", "/frames/", "frames//", "a//b/", "../", "./", "a/../b/", "a/./", "a/.."),
    *(
        "*/",
        "frames*/",
        "a/*",
        "fr?mes/",
        "?/",
        "${aws:username}/",
        "$/",
        "a\n/",
        "\x00/",
        "a\tb/",
        "x" * 513 + "/",
    ),
]


@pytest.mark.parametrize("prefix", BAD_PREFIXES)
def test_a_prefix_that_would_cover_more_than_it_says_is_refused(prefix):
    (said,) = problems(one(prefixes={"out": ["fine/", prefix]}))
    assert said.startswith("identities[0].prefixes.out[1]: must end with / (frames/4 would cover frames/42)")


@pytest.mark.parametrize(
    "prefix", ["a/", "frames/2026-11-23/", ".hidden/", "a..b/", "ö ü/", "映像/", "a+b&c=d/", '"x"/']
)
def test_a_prefix_that_ends_with_a_slash_is_accepted(prefix):
    assert identities(one(prefixes={"out": [prefix]}))[0].prefixes == {"out": (prefix,)}


@given(st.text(max_size=12))
@example("a/b/")
def test_a_prefix_that_is_let_through_is_a_folder_and_holds_no_wildcard(prefix):
    said = problems(one(prefixes={"out": [prefix]}))
    if not said:
        assert prefix.endswith("/")
        assert not set(prefix) & set("*?$\n\0")
        assert not {"", ".", ".."} & set(prefix[:-1].split("/"))


def test_the_problems_of_all_identities_are_reported_at_once():
    said = problems(
        "root",
        one(name="Web", rights="viewr", prefixes={"in": ["x"], "out": []}),
        {"name": "up", "rights": "ingest", "prefixes": {"out": ["a"]}, "trsut": {}},
        "app",
        "app",
    )
    assert [found.partition(": ")[0] for found in said] == [
        "identities[0]",
        "identities[1].name",
        "identities[1].rights",
        "identities[1].prefixes.in[0]",
        "identities[1].prefixes.out",
        "identities[2].trsut",
        "identities[2].prefixes.out[0]",
        "identities[2].prefixes.out",
        "identities[4]",
    ]


def test_a_message_never_shows_the_inside_of_a_mapping():
    said = problems(
        one(name={"secret": "hush"}, rights={"secret": "hush"}, prefixes={"out": [{"secret": "hush"}]})
    )
    assert len(said) == 3
    assert "hush" not in " ".join(said)


def test_rights_are_defined_for_the_in_and_out_bucket_alone():
    assert all(set(rights) <= set(ROLES) for rights in RIGHTS.values())
