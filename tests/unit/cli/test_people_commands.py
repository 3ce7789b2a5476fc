"""`prismata people` and `prismata audit`."""

import json


def test_people_get_roles_and_what_was_done_is_told(prismata):
    assert "nobody is known yet" in prismata("people", "list").err
    answer = prismata("people", "set", "Anna@Example.com", "annotator")
    assert answer.out == (
        "anna@example.com is annotator now: may upload videos, label, run detections and judge "
        "what they found\n"
    )
    (person,) = json.loads(prismata("people", "list", "--json").out)
    assert (person["name"], person["role"], person["seen_at"]) == (
        "anna@example.com",
        "annotator",
        None,
    )
    answer = prismata("people", "list")
    assert "annotator" in answer.out
    assert "PRISMATA_LOGIN is none" in answer.err
    assert prismata("people", "remove", "anna@example.com").code == 0
    told = json.loads(prismata("audit", "--json").out)
    assert [(deed["action"], deed["subject"]) for deed in told] == [
        ("remove_person", "anna@example.com"),
        ("set_role", "anna@example.com: annotator"),
    ]
    assert "remove_person" in prismata("audit", "--action", "remove_person").out
    assert "nothing like this" in prismata("audit", "--refused").err
    assert "nothing like this" in prismata("audit", "--since", "2999-01-01").err


def test_what_cannot_be_meant_is_said(prismata):
    answer = prismata("people", "set", "anna@example.com", "boss")
    assert answer.code == 64
    assert "there is no role 'boss'" in answer.err
    answer = prismata("audit", "--since", "yesterday")
    assert answer.code == 64
    assert "write it like 2026-11-27" in answer.err
