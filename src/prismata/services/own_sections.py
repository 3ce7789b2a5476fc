"""What a domain says itself in a report: its own section, its words; or why it could not."""

from __future__ import annotations

from collections.abc import Sequence

from prismata.domains import Domain, HookFailure, ReportVideo, ask_section
from prismata.evaluation.html_parts import PageSection
from prismata.evaluation.results_html import ResultWords


def own_sections(
    domain: Domain | None,
    videos: Sequence[ReportVideo],
    *,
    failures: Sequence[HookFailure] = (),
) -> tuple[PageSection, ...]:
    """Return the domain's section as a page takes it, and a note for each hook that failed.

    Args:
        domain: Of the model; None adds nothing.
        videos: What the report knows.
        failures: Of hooks that were asked before.
    """
    if domain is None:
        return ()
    section, failure = ask_section(domain, videos)
    made: list[PageSection] = []
    if section is not None:
        table = section.table
        made.append(
            PageSection(
                section.title,
                tuple(section.paragraphs),
                tuple(table.head) if table else (),
                tuple(tuple(row) for row in table.rows) if table else (),
                table.caption if table else "",
            )
        )
    told = dict.fromkeys(str(item) for item in (*failures, *([failure] if failure else [])))
    made += [PageSection(f"What {domain.title} would add", failure=words) for words in told]
    return tuple(made)


def result_words(domain: Domain | None) -> ResultWords:
    """Return what the events of a domain are called."""
    if domain is None:
        return ResultWords()
    words = domain.wording
    return ResultWords(words.one, words.many, words.nothing)
