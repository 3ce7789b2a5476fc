"""Domains: what is declared, used, broken and left behind; and what follows an edit."""

import os
import shutil

import numpy as np
import pytest

from prismata.core.errors import InvalidInputError
from prismata.core.events import Event
from prismata.domains import DomainRegistry
from prismata.media.jpeg import encode_jpeg
from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label, list_labels
from prismata.services.train import TrainRequest, prepare_training
from prismata.ui.context import set_workbench
from prismata.wiring import open_workbench

DOMAIN = """
from prismata.domains import (
    Attribute, Domain, EventType, GroupingRule, Implication, register_domain,
)


@register_domain
class Tennis(Domain):
    name = "tennis"
    version = {version}
    guide = "Mark *serves* only."
    event_types = (
        EventType(
            "serve",
            hotkey="s",
            guide="First frame with the ball <b>on</b> the strings.",
            color="#009E73",
            attributes=(Attribute("hand", "choice", ("left", "right"), guide="Which one."),),
        ),
        EventType("rally", "segment", guide="From the serve to the last bounce.",
                  max_seconds=60),
    )
    rules = {{"rally": GroupingRule(min_seconds=2)}}
    relations = (Implication("rally", "serve", 1.5),)
    preset = "tiny"
"""


@pytest.fixture
def settings(settings, tmp_path):
    """Flashes as everywhere, and a folder of the test's own."""
    flashes = settings.domains_dirs.rpartition(os.pathsep)[2]
    return settings.model_copy(update={"domains_dirs": f"{flashes}{os.pathsep}{tmp_path / 'own'}"})


@pytest.fixture
def plugin(tmp_path):
    file = tmp_path / "own" / "tennis" / "domain.py"
    file.parent.mkdir(parents=True)
    file.write_text(DOMAIN.format(version=3))
    return file


def look_again(page, monkeypatch):
    """Run the page as if the second between two looks had gone by."""
    monkeypatch.setattr("prismata.ui.context._looked_at", None)
    return page.run()


def told(page):
    """What is written in HTML of our own."""
    return "\n".join(item.proto.body for item in page.test.get("html"))


def test_each_domain_says_what_it_declares_and_what_came_of_it(
    plugin, open_page, bench, flashes, add_bundle
):
    video = ingest_file(bench, flashes.path, domain="flashes").video
    for time_us in (500_000, 1_500_000):
        add_label(bench, video, "flashes", Event.point("flash", time_us))
    model = add_bundle()
    page = open_page("domains")
    assert "**2 domains.**" in page.words
    assert "1 video, 2 labels, 1 model · none of them is in production" in page.words
    assert "**Tennis** · tennis · version 3" in page.words
    assert "0 videos, 0 labels, 0 models · nothing trained yet" in page.words
    assert "Mark *serves* only." in page.words
    assert f"From {plugin}" in page.words
    bench.catalog.models.set_stage(model.id, "production")
    assert "flash-detector is in production" in page.run().words


def test_event_types_are_shown_with_colour_kind_key_guide_attributes_and_rule(plugin, open_page):
    page = open_page("domains")
    assert "Rally never comes without Serve within 1.5 s of its start" in page.words
    assert "Trained as “Train the encoder too” where nobody chooses" in page.words
    html = told(page)
    for words in (
        'class="shape point" style="background:#009E73"',
        'class="shape segment"',
        "serve · an instant · key <kbd>s</kbd>",
        "rally · a stretch of time<",
        "First frame with the ball &lt;b&gt;on&lt;/b&gt; the strings.",
        "<em>Hand</em>: left or right. Which one.",
        "A label longer than 60 s is pointed out.",
        "shorter than 2 s is none",
    ):
        assert words in html


def test_pictures_of_the_guide_are_shown(plugin, open_page):
    guide = plugin.parent / "guide"
    guide.mkdir()
    picture = np.full((20, 30, 3), 200, np.uint8)
    (guide / "serve_from_behind.jpg").write_bytes(encode_jpeg(picture))
    page = open_page("domains")
    assert "Serve, in pictures" in page.words
    protos = [getattr(item, "proto", None) for item in page._walk(page.test._tree)]
    captions = [image.caption for proto in protos for image in getattr(proto, "imgs", ())]
    assert captions == ["from behind"]


def test_an_edit_appears_without_a_restart(plugin, open_page, monkeypatch):
    page = open_page("domains")
    plugin.write_text(DOMAIN.format(version=4))
    assert "tennis · version 4" in look_again(page, monkeypatch).words


def test_a_broken_edit_is_shown_with_its_line_and_the_rest_goes_on(plugin, open_page, monkeypatch):
    page = open_page("domains")
    plugin.write_text("\n\nclass :\n")
    look_again(page, monkeypatch)
    (error,) = page.test.error
    said = error.value.replace("\\", "")
    assert said.startswith(f"{plugin}, line 3: SyntaxError")
    assert "version 3, loaded before, stays in use meanwhile" in said
    assert "tennis · version 3" in page.words
    assert "class :" in page.words, "the author sees where"
    plugin.write_text(DOMAIN.format(version=5))
    look_again(page, monkeypatch)
    assert not page.test.error
    assert "tennis · version 5" in page.words


def test_other_pages_say_that_the_last_edit_is_not_in_use_and_no_training_starts(
    plugin, open_page, bench, monkeypatch
):
    page = open_page("domains")
    plugin.write_text("class :\n")
    look_again(page, monkeypatch)
    train = open_page("train")
    assert not train.test.error, "flashes is not what was edited"
    train.box("Domain").select("tennis")
    assert "line 1: SyntaxError" in train.run().words
    with pytest.raises(InvalidInputError, match="a process of its own, which reads that file"):
        prepare_training(bench, TrainRequest("tennis"))


def test_a_plugin_that_never_loaded_stands_above_with_its_reason(plugin, open_page, monkeypatch):
    broken = plugin.parents[1] / "golf" / "domain.py"
    broken.parent.mkdir()
    broken.write_text("import nowhere_at_all\n")
    page = look_again(open_page("domains"), monkeypatch)
    assert "**2 domains, 1 broken.**" in page.words
    assert "No module named 'nowhere_at_all'" in page.words


def test_a_check_says_what_fails_until_the_plugin_is_edited(plugin, open_page, monkeypatch):
    page = open_page("domains")
    page.test.button(key="check:tennis").click()
    page.run()
    assert "checks fail" in page.words
    assert "README.md cannot be read" in page.words
    plugin.write_text(DOMAIN.format(version=4))
    assert "README.md cannot be read" not in look_again(page, monkeypatch).words


def test_labels_of_types_that_are_gone_can_be_sorted_out_here(plugin, open_page, bench, flashes):
    video = ingest_file(bench, flashes.path, domain="tennis").video
    labels = [Event.point("smash", 100), Event.point("serve", 200)]
    bench.catalog.events.add_annotations(video.id, "tennis", 1, labels, "anna")
    page = open_page("domains")
    assert "1 point 'smash' in 1 video: the domain has no such event type" in page.words
    page.box("“smash” becomes").select("serve")
    page.run()
    page.press("Change 1 label")
    events = [item.event.event_type for item in list_labels(bench, video, "tennis")]
    assert events == ["serve", "serve"]
    assert "becomes" not in page.words


def test_what_belongs_to_a_domain_that_is_gone_is_said(plugin, open_page, bench, flashes):
    video = ingest_file(bench, flashes.path, domain="tennis").video
    add_label(bench, video, "tennis", Event.point("serve", 200))
    shutil.rmtree(plugin.parent)
    page = open_page("domains")
    assert "1 video, 1 label, 0 models belong to tennis, which no plugin declares" in page.words


def test_without_any_domain_it_says_how_to_make_one(settings, open_page, bench):
    empty = settings.model_copy(update={"domains_dirs": str(settings.data_dir / "nothing")})
    with open_workbench(empty) as other:
        set_workbench(other, b"s" * 32)
        DomainRegistry.clear()
        page = open_page("domains")
    assert "**No domains yet.**" in page.words
    assert "prismata domains new tennis_serve" in page.words
