"""Pages in Streamlit's own test runner, over a real workbench."""

import json
import warnings

import pytest

from prismata.services.ingest import ingest_file
from prismata.ui.context import set_workbench

with warnings.catch_warnings():
    # Streamlit imports libraries that warn about each other; none of it is ours.
    warnings.simplefilter("ignore")
    from streamlit.proto.WidgetStates_pb2 import WidgetState
    from streamlit.testing.v1 import AppTest

SCRIPT = """
from prismata.ui.panels.notices import guarded
from prismata.ui.screens import {name}

guarded({name}.show)()
"""


class Page:
    """One page as a person uses it."""

    def __init__(self, name):
        self.test = AppTest.from_string(SCRIPT.format(name=name), default_timeout=30)
        self.run()

    def run(self):
        self.test.run()
        assert not self.test.exception, self.test.exception
        return self

    @property
    def words(self):
        """Everything that is to be read, as one text."""
        test = self.test
        shown = [*test.markdown, *test.caption, *test.subheader, *test.code]
        shown += [*test.success, *test.info, *test.error]
        return "\n".join(str(item.value) for item in shown).replace("\\", "")

    def press(self, label):
        button = next(item for item in self.test.button if item.label == label)
        button.click()
        return self.run()

    def buttons(self):
        return [item.label for item in self.test.button]

    def field(self, label):
        return next(item for item in self.test.text_input if item.label == label)

    def box(self, label):
        return next(item for item in self.test.selectbox if item.label == label)

    def component(self, name, package="prismata_"):
        """What a component of ours was given; those with files of their own are `prismata.NAME`."""
        for item in self._walk(self.test._tree):
            proto = getattr(item, "proto", None)
            if getattr(proto, "component_name", "") == f"{package}{name}":
                return proto, json.loads(proto.json)
        raise AssertionError(f"there is no {name} on this page")

    def has(self, name, package="prismata_"):
        try:
            self.component(name, package)
        except AssertionError:
            return False
        return True

    def tell(self, name, value, package="prismata_"):
        """Do what the component does in a browser: set its state."""
        proto, _ = self.component(name, package)
        return self._send(WidgetState(id=proto.id, json_value=json.dumps(value)))

    def select_rows(self, position, rows):
        """Select rows of the table at this position of the page."""
        proto = self.test.dataframe[position].proto
        chosen = json.dumps({"selection": {"rows": rows, "columns": [], "cells": []}})
        return self._send(WidgetState(id=proto.id, string_value=chosen))

    def _send(self, state):
        states = self.test._tree.get_widget_states()
        states.widgets.append(state)
        self.test._run(states)
        assert not self.test.exception, self.test.exception
        return self

    def _walk(self, node):
        for child in getattr(node, "children", {}).values():
            yield child
            yield from self._walk(child)


@pytest.fixture
def open_page(bench):
    set_workbench(bench, b"s" * 32)
    return Page


@pytest.fixture
def video(bench, flashes):
    return ingest_file(bench, flashes.path, domain="flashes").video
