"""Streamlit's own loggers speak through ours: one format, and secrets hidden."""

import streamlit.logger

from prismata.ui.server import create_app


def test_loggers_of_streamlit_pass_on_those_made_later_too(bench, monkeypatch):
    monkeypatch.setattr(streamlit.logger, "setup_formatter", streamlit.logger.setup_formatter)
    before = streamlit.logger.get_logger("streamlit.made.before")
    create_app(bench, b"s" * 32, [])
    later = streamlit.logger.get_logger("streamlit.made.later")
    for logger in (before, later):
        assert logger.propagate
        assert logger.handlers == []
