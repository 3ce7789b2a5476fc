"""What the catalog has of each domain, and what is left of those that are gone."""

from __future__ import annotations

import pytest

from prismata.catalog import EventDraft
from prismata.core.errors import NotFoundError
from prismata.core.events import Event
from prismata.domains import Domain, DomainRegistry, EventType, register_domain
from prismata.services.domain_list import DomainUse, check_domain_files, look_at_domains
from prismata.services.ingest import ingest_file


def uses(bench):
    overview = look_at_domains(bench)
    return {item.domain.name: item.use for item in overview.items}, dict(overview.missing)


def test_labels_that_a_domain_does_not_declare_like_that_are_counted_apart(
    bench, flashes, add_bundle
):
    video = ingest_file(bench, flashes.path, domain="flashes").video
    labels = [
        Event.point("flash", 100),
        Event.segment("flash", 200, 300),  # declared, as a point
        Event.point("spark", 400),  # not declared
        EventDraft(Event.point("spark", 500), review_state="rejected"),
        EventDraft(Event.point("flash", 600), review_state="rejected"),
    ]
    bench.catalog.events.add_annotations(video.id, "flashes", 1, labels, "anna")
    bench.catalog.events.add_annotations(video.id, "gone", 1, [Event.point("x", 1)], "anna")
    model = add_bundle()
    bench.catalog.models.set_stage(model.id, "production")
    known, missing = uses(bench)
    assert known["flashes"] == DomainUse(
        videos=1, labels=3, stray=3, models=1, model_in_use="flash-detector"
    )
    assert known["falls"] == DomainUse()
    assert missing == {"gone": DomainUse(labels=1, stray=1)}
    assert str(known["flashes"]) == "1 video, 3 labels, 1 model"


def test_a_domain_without_files_cannot_be_checked(bench):
    register_domain(
        type("Chess", (Domain,), {"name": "chess", "event_types": (EventType("mate"),)})
    )
    domain = DomainRegistry.get("chess")
    type(domain).__module__ = "typed_in_a_session"
    with pytest.raises(NotFoundError, match="registered by hand, so there are no files"):
        check_domain_files(domain)
