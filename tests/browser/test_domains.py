"""A plugin is edited while the workbench runs: the page follows, and a slip takes nothing away."""

import os
import re

import pytest

WAIT_MS = 60_000
DOMAIN = """from prismata.domains import Domain, EventType, register_domain


@register_domain
class Tennis(Domain):
    name = "tennis"
    version = {version}
    event_types = ({event_types})
"""
SERVE = 'EventType("serve", hotkey="s", guide="First frame."), '
RALLY = 'EventType("rally", "segment", hotkey="d", guide="While it lasts."), '


@pytest.fixture
def plugin(tmp_path):
    file = tmp_path / "own" / "tennis" / "domain.py"
    file.parent.mkdir(parents=True)
    file.write_text(DOMAIN.format(version=1, event_types=SERVE))
    return file


@pytest.fixture
def settings(settings, plugin):
    flashes = settings.domains_dirs.rpartition(os.pathsep)[2]
    folders = f"{flashes}{os.pathsep}{plugin.parents[1]}"
    return settings.model_copy(update={"domains_dirs": folders})


def test_an_edit_is_followed_and_a_broken_one_keeps_the_version_before(page, server, plugin, video):
    page.set_default_timeout(WAIT_MS)
    page.goto(f"{server.url}/domains")
    page.get_by_text("tennis · version 1").wait_for()

    # Nobody touches the page: it looks for itself.
    plugin.write_text(DOMAIN.format(version=2, event_types=SERVE + RALLY))
    page.get_by_text("tennis · version 2").wait_for()
    page.get_by_text("What it declares: Serve, Rally").click()
    page.get_by_text("While it lasts.").wait_for()

    plugin.write_text(plugin.read_text().replace("class Tennis(Domain):", "class Tennis(Domain)"))
    page.get_by_text(re.compile(r"domain\.py, line 5: SyntaxError")).first.wait_for()
    page.get_by_text("version 2, loaded before, stays in use meanwhile").wait_for()
    page.get_by_text("tennis · version 2").wait_for()
    page.get_by_text("While it lasts.").wait_for()

    # Elsewhere the domain goes on as it was, with both its event types.
    page.goto(f"{server.url}/?domain=tennis&video={video.id}")
    station = page.locator(".label-station")
    station.get_by_text("Rally").first.wait_for()

    plugin.write_text(DOMAIN.format(version=3, event_types=SERVE + RALLY))
    page.goto(f"{server.url}/domains")
    page.get_by_text("tennis · version 3").wait_for()
    assert page.get_by_text("SyntaxError").count() == 0
