"""A report as one page that needs nothing else."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING

from lockgate.attacks.findings import OWASP, SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockgate.attacks.findings import AttackReport, Evidence, Finding

_CSP = "default-src 'none'; style-src 'unsafe-inline'"
"""The page asks nobody for anything."""


def render(report: AttackReport) -> str:
    """The report as HTML, with style and evidence inside."""
    style = files("lockgate.attacks").joinpath("report.css").read_text()
    body = [_head(report), _counts(report)]
    if report.findings:
        body.append("<h2>Findings</h2>")
        body += [
            _weakness(list(findings))
            for _, findings in groupby(report.findings, lambda finding: (finding.severity, finding.code))
        ]
    else:
        body.append('<p class="none">No weakness was found.</p>')
    body += [_unjudged(report), _families(report)]
    title = escape(f"Attack report: {report.file}")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_CSP}">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in body if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def _head(report: AttackReport) -> str:
    sent = sum(report.attacks.values())
    return (
        f"<header><p>Attack report</p><h1>{escape(report.file)}</h1>"
        f"<p>Revision <code>{escape(report.revision[:12])}</code>, {sent} requests to "
        f"{report.routes} routes, in a sandbox on loopback.</p></header>"
    )


def _counts(report: AttackReport) -> str:
    cells = []
    for severity in SEVERITIES:
        number = sum(finding.severity == severity for finding in report.findings)
        sort = severity if number else "zero"
        cells.append(f'<li class="{sort}"><b>{number}</b> {severity}</li>')
    return f'<ul class="counts">{"".join(cells)}</ul>'


def _weakness(findings: list[Finding]) -> str:
    first = findings[0]
    routes = "".join(_finding(finding) for finding in findings)
    number = "" if len(findings) == 1 else f" · {len(findings)} routes"
    return (
        f'<section class="{first.severity}"><h3><span class="severity">{first.severity}</span> '
        f"{escape(first.title)}</h3>"
        f'<p class="meta"><code>{escape(first.code)}</code> · {escape(first.owasp)} '
        f"{escape(OWASP[first.owasp])} · {first.certainty}{number}</p>"
        f'<p class="remedy"><b>Remedy</b> {_marked(first.remedy)}</p>{routes}</section>'
    )


def _finding(finding: Finding) -> str:
    policy = f", policy <code>{escape(finding.policy)}</code>" if finding.policy else ""
    evidence = "".join(_evidence(one) for one in finding.evidence)
    return (
        f"<details><summary><b>{escape(finding.where)}</b> {_marked(finding.detail)}</summary>"
        f'<p class="meta">{escape(str(finding.place))}{policy}</p>{evidence}</details>'
    )


def _evidence(evidence: Evidence) -> str:
    parts = [f"<h4>{_marked(evidence.what)}</h4>", _block("Request", evidence.request)]
    parts.append(_block("Answer", evidence.response))
    parts.append(_block("The service got", evidence.reached or "nothing"))
    if evidence.curl:
        parts.append(_block("Again, with a gateway at $GATEWAY", evidence.curl))
    return "".join(parts)


def _block(title: str, text: str) -> str:
    # A region that scrolls can be reached by keyboard.
    return f'<p class="label">{escape(title)}</p><pre tabindex="0">{escape(text)}</pre>'


def _marked(text: str) -> str:
    """Text with what stands in backticks as code."""
    pieces = escape(text).split("`")
    return "".join(f"<code>{piece}</code>" if at % 2 else piece for at, piece in enumerate(pieces))


def _unjudged(report: AttackReport) -> str:
    if not report.unjudged:
        return ""
    notes = "".join(f"<li>{_marked(note)}</li>" for note in report.unjudged)
    return f"<h2>Not judged</h2><ul>{notes}</ul>"


def _families(report: AttackReport) -> str:
    rows: Iterable[str] = (
        f"<tr><td>{escape(name)}</td><td>{number}</td></tr>" for name, number in report.attacks.items()
    )
    return (
        "<h2>What was sent</h2><table><thead><tr><th>Attacks</th><th>Requests</th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
    )
