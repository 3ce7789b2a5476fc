from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import prismata
from prismata.core.errors import InvalidInputError, NotFoundError, UnavailableError
from prismata.core.events import PALETTE
from prismata.domains import (
    ClipSpec,
    Domain,
    DomainRegistry,
    EventType,
    GroupingRule,
    load_plugin,
    register_domain,
)
from prismata.testing.synth import render_flashes


def declare(**attributes):
    wanted = {"name": "tennis", "event_types": (EventType("serve"),), **attributes}
    given = {key: value for key, value in wanted.items() if value is not None}
    return type("Tennis", (Domain,), given)


def test_the_classic_surface_works():
    @prismata.register_domain
    class Cricket(prismata.Domain):
        name = "cricket"
        event_types = (prismata.EventType("delivery", "segment"),)

    domain = prismata.DomainRegistry.get("cricket")
    assert isinstance(domain, Cricket)
    assert domain.event_names == ("delivery",)


def test_what_is_not_said_is_filled_in():
    event_types = (EventType("serve"), EventType("rally", "segment", color="#123456"))
    rule = GroupingRule(threshold=0.7)
    domain = register_domain(declare(event_types=event_types, rules={"rally": rule}))()
    assert domain.title == "Tennis"
    assert domain.version == 1
    assert domain.clip == ClipSpec()
    assert domain.rules == {"serve": GroupingRule(), "rally": rule}
    assert [item.color for item in domain.event_types] == [PALETTE[0], "#123456"]
    assert list(domain.review([])) == []


def test_filling_in_one_domain_leaves_others_alone():
    register_domain(declare())
    assert Domain.rules == {}
    assert Domain.title == ""


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"name": None}, "Tennis has no name"),
        ({"name": "Tennis Serve"}, "cannot be used as a name"),
        ({"event_types": None}, "declares no event types"),
        ({"event_types": ()}, "declares no event types"),
        ({"event_types": ("serve",)}, "each must be an EventType"),
        (
            {"event_types": (EventType("serve"), EventType("serve"))},
            "declares event type 'serve' t",
        ),
        ({"event_types": (EventType("serve", color="red"),)}, "write it as #RRGGBB"),
        ({"version": 0}, "whole number from 1 on"),
        ({"version": True}, "whole number from 1 on"),
        ({"clip": {"target_fps": 10}}, "it must be a ClipSpec"),
        ({"rules": {"serve": 0.5}}, "it must be a GroupingRule"),
        ({"left_right_matters": "yes"}, "it must be a bool"),
        (
            {"rules": {"rally": GroupingRule()}},
            "rule for 'rally', which is none of its event types",
        ),
        ({"replays": "maybe"}, "has replays = 'maybe'; it can be 'unstated', 'none', 'skip'"),
        ({"tolerance_seconds": 0}, r"must lie in \(0, 3600\]"),
        ({"tolerance_seconds": float("nan")}, r"must lie in \(0, 3600\]"),
    ],
)
def test_a_declaration_that_cannot_be_used_is_refused(attributes, message):
    with pytest.raises(InvalidInputError, match=message):
        register_domain(declare(**attributes))
    assert DomainRegistry.list() == []


def test_the_full_guide_says_what_to_do_with_replays():
    domain = declare(guide="Mark serves.", replays="skip")()
    assert domain.full_guide.startswith("Mark serves. Replays: pass over all of it (Shift+W)")
    assert declare(guide="Mark serves.", replays="none")().full_guide == "Mark serves."
    assert declare(replays="label")().full_guide.startswith("Replays: label the event again")


def test_only_domain_classes_can_be_registered():
    class NotADomain:
        name = "tennis"

    with pytest.raises(InvalidInputError, match=r"write `class NotADomain\(Domain\):`"):
        register_domain(NotADomain)


def test_an_unknown_event_type_is_named_with_the_known_ones():
    domain = declare()()
    assert domain.event_type("serve").name == "serve"
    with pytest.raises(NotFoundError, match="no event type 'ace'; it has serve"):
        domain.event_type("ace")


def test_model_py_beside_the_plugin_supplies_the_hooks_it_defines(write_plugin):
    folder = write_plugin("tennis")
    (folder / "model.py").write_text(
        "def create_model(domain, config):\n    return domain.name, config.get('hidden', 0)\n"
        "def create_dataset(domain, labels, videos):\n    return labels, videos\n"
        "def create_inference_dataset(domain, video):\n    return domain.version, video\n"
    )
    domain = load_plugin(folder)()
    assert domain.create_model({"hidden": 8}) == ("tennis", 8)
    assert domain.create_model() == ("tennis", 0)
    video = Path("clip.mp4")
    assert domain.create_dataset({video: []}, [video]) == ({video: []}, [video])
    assert domain.create_inference_dataset(video) == (1, video)
    assert "model" not in sys.modules


def test_an_edited_model_py_is_read_again_with_its_plugin(write_plugin):
    folder = write_plugin("tennis")
    for answer in ("first", "other edition"):
        (folder / "model.py").write_text(
            f"def create_model(domain, config):\n    return {answer!r}\n"
        )
        assert load_plugin(folder)().create_model({}) == answer


def test_without_torch_the_hooks_say_what_to_install(write_plugin, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    folder = write_plugin("tennis")
    (folder / "model.py").write_text("import torch\n")
    with pytest.raises(UnavailableError, match=r'pip install "prismata\[train\]"'):
        load_plugin(folder)().create_model({})


def test_another_missing_package_is_not_blamed_on_the_train_extra(write_plugin):
    folder = write_plugin("tennis")
    (folder / "model.py").write_text("import a_package_that_nobody_has\n")
    with pytest.raises(ModuleNotFoundError, match="a_package_that_nobody_has"):
        load_plugin(folder)().create_model({})


def test_a_subclass_may_override_the_hooks():
    @register_domain
    class Tennis(Domain):
        name = "tennis"
        event_types = (EventType("serve"),)

        def create_model(self, config):
            return np.zeros(config["size"])

    assert DomainRegistry.get("tennis").create_model({"size": 3}).shape == (3,)


@pytest.mark.torch
def test_the_default_hooks_reach_the_training_room(tmp_path):
    pytest.importorskip("torch", reason="needs the train extra")
    event_types = (EventType("flash"), EventType("dark", "segment"))
    clip = ClipSpec(target_fps=10, num_frames=4, width=32, height=32)
    domain = register_domain(declare(event_types=event_types, clip=clip))()
    video = render_flashes(tmp_path / "flash.mp4", seconds=2, seed=1, size=(64, 36))
    outputs = [module.out_features for module in domain.create_model({"encoder": "tiny"}).modules()
               if hasattr(module, "out_features")]  # fmt: skip
    assert outputs[-1] == 2
    windows = domain.create_dataset({video.path: video.events}, [video.path])
    pixels, targets = windows[0]
    assert (tuple(pixels.shape), tuple(targets.shape)) == ((4, 32, 32, 3), (2,))
    assert len(list(domain.create_inference_dataset(video.path))) == len(windows)
