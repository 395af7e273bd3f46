"""A comparison as JUnit XML, which every CI system shows: a test suite per task, a test case per gate.

Values, differences and intervals are properties of the test cases, in the units of leaderboards.
"""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree as xml

from evalsuite.comparison.checks import Check, Compared
from evalsuite.comparison.comparing import Comparison
from evalsuite.comparison.wording import p_text

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML cannot hold, not even escaped."""


def junit(comparison: Comparison) -> bytes:
    """JUnit XML, UTF-8. Numbers without a gate are test cases that pass, with their difference as output."""
    tasks = dict.fromkeys([*(row.task for row in comparison.rows), *(c.task for c in comparison.checks)])
    suites = xml.Element("testsuites", name="evalsuite compare")
    total = failures = 0
    for task in tasks:
        suite = xml.SubElement(suites, "testsuite", name=_clean(task))
        checks = [check for check in comparison.checks if check.task == task]
        rows = {(row.metric.name, row.group): row for row in comparison.rows if row.task == task}
        cases = [_case(suite, check, task, rows.get((check.metric, check.group))) for check in checks]
        gated = {(check.metric, check.group) for check in checks}
        for key, row in rows.items():
            if key not in gated:
                name = _clean(" ".join(filter(None, (row.metric.name, row.group))))
                cases.append(xml.SubElement(suite, "testcase", name=name, classname=_clean(task)))
                _properties(cases[-1], row)
                output = xml.SubElement(cases[-1], "system-out")
                output.text = _clean(
                    f"{row.shown(row.difference.a)} to {row.shown(row.difference.b)}, difference "
                    f"{row.shown(row.difference.value, signed=True)} ({row.interval}), p {p_text(row.p)}: "
                    f"{row.verdict}"
                )
        failed = sum(not check.passed for check in checks)
        suite.set("tests", str(len(cases)))
        suite.set("failures", str(failed))
        suite.set("errors", "0")
        total += len(cases)
        failures += failed
    for name, value in (("tests", total), ("failures", failures), ("errors", 0)):
        suites.set(name, str(value))
    xml.indent(suites)
    return bytes(xml.tostring(suites, encoding="utf-8", xml_declaration=True)) + b"\n"


def _case(suite: xml.Element, check: Check, task: str, row: Compared | None) -> xml.Element:
    name = _clean(" ".join(filter(None, (check.metric, check.group, check.rule))))
    case = xml.SubElement(suite, "testcase", name=name, classname=_clean(task))
    if row is not None:
        _properties(case, row)
    if check.passed:
        xml.SubElement(case, "system-out").text = _clean(check.message)
    else:
        xml.SubElement(case, "failure", message=_clean(check.message), type=check.rule)
    return case


def _properties(case: xml.Element, row: Compared) -> None:
    """Base, candidate, difference with its interval, and p; what is not a number is left out."""
    found, scale = row.difference, row.metric.scale
    values = {
        "base": found.a * scale, "candidate": found.b * scale, "difference": found.value * scale,
        "difference_low": found.low * scale, "difference_high": found.high * scale, "p": row.p,
    }  # fmt: skip
    properties = xml.SubElement(case, "properties")
    for name, value in values.items():
        if value is not None and not math.isnan(value):
            xml.SubElement(properties, "property", name=name, value=f"{value:.10g}")
    xml.SubElement(properties, "property", name="n", value=str(found.n))
    xml.SubElement(properties, "property", name="verdict", value=row.verdict)


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
