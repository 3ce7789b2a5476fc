"""Who may do what, and what is written down."""

from datetime import UTC, datetime, timedelta

import pytest

from prismata.core.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from prismata.core.roles import ROLES, is_at_least
from prismata.services.people import Roster, clean_name, name_of_claims, remove_person, set_role

TEAM = {
    "login": "oidc",
    "public_url": "https://prismata.example.com",
    "oidc_metadata_url": "https://id.example.com/x",
    "oidc_client_id": "prismata",
    "oidc_client_secret": "s" * 20,
}


@pytest.fixture
def settings(settings, request):
    changed = TEAM | (getattr(request, "param", None) or {})
    return settings.model_validate(settings.model_dump() | changed, strict=False)


def test_each_role_may_what_those_before_it_may():
    assert [[is_at_least(has, needed) for needed in ROLES] for has in ROLES] == [
        [True, False, False, False],
        [True, True, False, False],
        [True, True, True, False],
        [True, True, True, True],
    ]
    assert not any(is_at_least(None, needed) for needed in ROLES)


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"email": "Anna@Example.com", "email_verified": True, "sub": "1"}, "anna@example.com"),
        ({"email": "anna@example.com", "sub": "1"}, "anna@example.com"),
        ({"email": "boss@example.com", "email_verified": False, "sub": "evil-1"}, "evil-1"),
        ({"name": "Boss", "sub": "2"}, "2"),
        ({"name": "Boss"}, ""),
        ({"email": "a/b\n@example.com"}, "a b@example.com"),
    ],
)
def test_a_person_is_what_the_provider_vouches_for(claims, name):
    assert name_of_claims(claims) == name


def test_names_are_of_one_line_and_bounded_length():
    assert clean_name(" Zo\u0065\u0308\r\n ") == "Zo\u00eb"
    assert len(clean_name("x" * 500)) == 80


def test_who_is_new_waits_for_a_role(bench):
    roster = Roster(bench)
    before = datetime.now(UTC) - timedelta(seconds=5)
    for _ in range(2):
        roster.came("anna@example.com", at=before)
    assert [deed.action for deed in bench.catalog.deeds.list()] == ["sign_in"]
    roster.came("anna@example.com", at=datetime.now(UTC) + timedelta(seconds=5))
    assert len(bench.catalog.deeds.list()) == 2
    assert roster.role_of("anna@example.com") is None
    (person,) = bench.catalog.people.list()
    assert person.seen_at is not None
    with pytest.raises(ForbiddenError, match="you have no role here yet; ask an administrator"):
        roster.check("anna@example.com", "viewer", "look")


@pytest.mark.parametrize("settings", [{"newcomer_role": "viewer"}], indirect=True)
def test_newcomers_can_be_given_a_role(bench):
    assert Roster(bench).role_of("anna@example.com") == "viewer"
    assert Roster(bench).role_of("") is None, "nobody is no newcomer"
    set_role(bench, "tester", "anna@example.com", "engineer")
    assert Roster(bench).role_of("anna@example.com") == "engineer"


def test_what_others_started_takes_an_engineer(bench):
    set_role(bench, "tester", "Anna@Example.com", "annotator")
    set_role(bench, "tester", "erik@example.com", "engineer")
    roster = Roster(bench)
    roster.check_own("anna@example.com", "anna@example.com", "cancel_job", "a job")
    roster.check_own("erik@example.com", "anna@example.com", "cancel_job", "a job")
    with pytest.raises(ForbiddenError, match=r"role of engineer .*, but you are an annotator"):
        roster.check_own("anna@example.com", "erik@example.com", "cancel_job", "a job")
    refused = bench.catalog.deeds.list(outcome="refused")
    assert [(deed.person, deed.action, deed.subject) for deed in refused] == [
        ("anna@example.com", "cancel_job", "a job")
    ]


def test_refusals_are_written_down_once_a_minute(bench, monkeypatch):
    now = 1000.0
    monkeypatch.setattr("prismata.services.people.time.monotonic", lambda: now)
    roster = Roster(bench)
    for _ in range(5):
        roster.note_refusal("anna@example.com", "train", "cricket")
    roster.note_refusal("anna@example.com", "train", "soccer")
    assert len(bench.catalog.deeds.list()) == 2
    now += 61
    roster.note_refusal("anna@example.com", "train", "cricket")
    assert len(bench.catalog.deeds.list()) == 3


def test_the_last_administrator_stays(bench):
    set_role(bench, "tester", "anna@example.com", "admin")
    for change in (
        lambda: set_role(bench, "tester", "anna@example.com", "viewer"),
        lambda: remove_person(bench, "tester", "anna@example.com"),
    ):
        with pytest.raises(ConflictError, match="only administrator"):
            change()
    assert Roster(bench).role_of("anna@example.com") == "admin"
    set_role(bench, "tester", "bert@example.com", "admin")
    remove_person(bench, "bert@example.com", "anna@example.com")
    assert [person.name for person in bench.catalog.people.list()] == ["bert@example.com"]
    assert [deed.action for deed in bench.catalog.deeds.list()] == [
        "remove_person",
        "set_role",
        "set_role",
    ]


@pytest.mark.parametrize("settings", [{"admins": "root@example.com"}], indirect=True)
def test_where_the_settings_name_one_the_catalog_needs_none(bench):
    set_role(bench, "tester", "anna@example.com", "admin")
    remove_person(bench, "tester", "anna@example.com")
    assert Roster(bench).role_of("root@example.com") == "admin"


def test_what_is_no_role_and_nobody_is_refused(bench):
    with pytest.raises(InvalidInputError, match="no role 'boss'; there are viewer"):
        set_role(bench, "tester", "anna@example.com", "boss")
    with pytest.raises(InvalidInputError, match="a person has a name"):
        set_role(bench, "tester", " \n", "viewer")
    with pytest.raises(NotFoundError, match="nobody called"):
        remove_person(bench, "tester", "nobody@example.com")


def test_deeds_are_told_newest_first_and_in_pages(bench):
    for number in range(5):
        bench.catalog.deeds.add(f"p{number % 2}", "train", str(number), "done")
    told = bench.catalog.deeds.list(limit=2)
    assert [deed.subject for deed in told] == ["4", "3"]
    rest = bench.catalog.deeds.list(before_seq=told[-1].seq)
    assert [deed.subject for deed in rest] == ["2", "1", "0"]
    assert [deed.subject for deed in bench.catalog.deeds.list(person="p1")] == ["3", "1"]
    assert bench.catalog.deeds.list(action="detect") == []
    assert bench.catalog.deeds.list(since=told[0].at)[0].subject == "4"
