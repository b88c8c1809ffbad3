# SPDX-License-Identifier: BSD-2-Clause
"""Checks of any `vsm probe --json`, on every host."""
import copy
import json
import unittest

SEVERITY = {'required': 2, 'wanted': 1, 'optional': 0}


def schema_errors(report, schema_path):
    """Skips the test without the package jsonschema."""
    try:
        import jsonschema
    except ImportError:
        raise unittest.SkipTest('python3-jsonschema is not installed') from None
    with open(schema_path, encoding='utf-8') as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(report)]


def verdict_of(report):
    """Returns the exit status that follows from the findings."""
    def worst(*statuses):
        return max(SEVERITY[finding['need']] if finding['status'] in statuses else 0 for finding in report['findings'])
    known = worst('missing', 'unknown')
    return 3 if worst('busy') > known else known


def broken_copies(report):
    """The schema must refuse each."""
    def change(edit):
        other = copy.deepcopy(report)
        edit(other)
        return other
    yield change(lambda r: r.update(extra=1))
    yield change(lambda r: r['verdict'].update(status=(r['verdict']['status'] + 1) % 4))
    yield change(lambda r: r['verdict'].update(engine='magic'))
    yield change(lambda r: r['host'].pop('kvm'))
    yield change(lambda r: r['host'].update(memory='much'))
    yield change(lambda r: r['findings'][0].update(status='perhaps'))
    yield change(lambda r: r['findings'][0].update(remedy=''))
    yield change(lambda r: r['findings'][0].update(id='odd id'))
    yield change(lambda r: r['findings'].clear())
