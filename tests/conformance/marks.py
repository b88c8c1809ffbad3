# SPDX-License-Identifier: BSD-2-Clause
"""The tests, and the items that they show by their marks.

A mark is a comment directly above a test function:

    /* shows: hypercall HvCallVtlCall; register HvRegisterSint0 to HvRegisterSint15; refuses: hypercall HvCallReadGpa */

"shows:" begins items that work, "refuses:" items of which the test shows the refusal. Items are written as a kind and
names (subjects.py), in one of these forms:

    KIND NAME[, NAME...]    each of these
    KIND NAME to NAME       both items and all between them
    KIND of TABLE           those in the rows of the array TABLE, which the test uses

A mark counts if the test is a registered case that does not always skip, and if it or a function, array or macro that it
uses names each item, of NAME to NAME the first (except rules, features, recommendations and entry reasons).
"""
import re

from subjects import ROOT


def functions(text):
    """{name: body}, for C in the style of this project."""
    return dict(re.findall(r"^[\w][^\n;{}=]*?\b(\w+)\([^;{}]*?\)\n\{\n(.*?)^\}", text, re.S | re.M))


ARRAY = r"[^;()\n]*?(\w+)(?:\[[^]]*\])+ = \{(.*?)\};"


def arrays(text, start=r"^[^\t\n]"):
    """{name: value}. With a `start` that matches the indentation: the arrays of a function."""
    return dict(re.findall(start + ARRAY, text, re.S | re.M))


def macros(text):
    return dict(re.findall(r"^#define (\w+)(?:\([^)]*\))?((?:.*\\\n)*.*)$", text, re.M))


def tokens(text):
    """Identifiers, and numbers as numbers."""
    found = set()
    for word in re.findall(r"\w+", text):
        number = re.fullmatch(r"(0x[0-9a-fA-F]+|\d+)[uUlL]*", word)
        found.add(int(number.group(1), 0) if number else word) if not re.fullmatch(r"0\d+[uUlL]*", word) else None
    return found


# Kinds of items whose names need not appear in the test.
UNNAMED = ("rule", "feature", "recommendation", "entry")


class Test:

    def __init__(self, path, function, title, bodies, tables):
        self.path, self.function, self.title = path, function, title
        self.bodies, self.tables = bodies, tables
        self.cache = None

    def table(self, name):
        """An array of the function, or one of the file that the function uses; None: no such array."""
        local = arrays(self.bodies[self.function], r"^\t")
        return local.get(name) or (self.tables.get(name) if name in self.tokens() else None)

    def always_skips(self):
        return re.search(r"^\tskip\(\);", self.bodies[self.function], re.M) is not None

    def tokens(self):
        """Also of the functions, arrays and macros that the test uses."""
        if self.cache is None:
            self.cache, todo, done = set(), [self.function], set()
            while todo:
                name = todo.pop()
                done.add(name)
                words = tokens(self.bodies[name])
                self.cache |= words
                todo += [word for word in words if word in self.bodies and word not in done]
        return self.cache

    def names(self, item):
        words = self.tokens()
        return (item.constant in words or item.short in words or
                (item.number is not None and item.number > 0xff and item.number in words))


class Suite:
    """`helpers`: patterns of files; `case`: how a case is registered."""

    def __init__(self, folder, helpers, case, build):
        self.folder, self.helpers, self.case, self.build = folder, helpers, case, build


SUITES = (
    Suite("tests/unit", ("tests/unit/*.[ch]", "src/backend/sim/sim_guest.c"),
          r"(?:cmocka_unit_test\w*|\bTEST|(?:unit_test_needs|\bTEST_NEEDS(?:_VP)?)\(\s*\w+,)[(\s]\s*(?P<function>\w+)", "tests/unit/meson.build"),
    Suite("guest/tests", ("guest/kit/*.[ch]", "guest/tests/tests.h"),
          r"\{\"(?P<title>[^\"]+)\",\s*(?P<function>\w+)", "guest/tests/meson.build"),
)


def load(suite):
    """Returns [Test], and the marks: [(path, line, text, function)]."""
    shared = {}
    for pattern in suite.helpers:
        for path in sorted(ROOT.glob(pattern)):
            if not path.name.startswith("test_"):
                text = path.read_text()
                shared.update({**macros(text), **arrays(text), **functions(text)})
    build = (ROOT / suite.build).read_text()
    tests, marks = [], []
    for path in sorted((ROOT / suite.folder).glob("**/*.c")):
        text = path.read_text()
        own = arrays(text)
        bodies = {**shared, **macros(text), **own, **functions(text)}
        built = re.search(r"\b(test_)?" + re.escape(path.stem.removeprefix("test_")) + r"\b", build)
        for case in re.finditer(suite.case, text):
            title = case.groupdict().get("title") or case["function"]
            if case["function"] in bodies and built:
                tests.append(Test(path, case["function"], title, bodies, own))
        for mark in re.finditer(r"^/\* ?((?:shows|refuses):.*?)\*/\n(?:static \w+ (\w+)\()?", text, re.S | re.M):
            content = re.sub(r"\s*\n \*\s*", " ", mark[1])
            marks.append((path, text.count("\n", 0, mark.start()) + 1, content.strip(), mark[2]))
    return tests, marks


def of_table(kind, test, table):
    """A row has one item, or the first and the last of a run."""
    items = []
    text = re.sub(r"/\*.*?\*/", "", test.table(table), flags=re.S)
    rows = re.findall(r"\{((?:[^{}]|\{[^{}]*\})*)\}", text) or re.split(r",", text)
    for row in rows:
        found = []
        for word in re.findall(r"\w+", row):
            item = kind.by_constant.get(word) or kind.by_short.get(word)
            if item is None and re.fullmatch(r"0x[0-9a-f]+|\d+", word) and not found:
                item = kind.by_number.get(int(word, 0))
            if item is not None and item not in found:
                found.append(item)
        if kind.word == "register" and len(found) == 2 and found[0].number < found[1].number:
            found = kind.between(found[0].name, found[1].name)
        items += found
    return items


class Marks:
    """`shown`, `refused`: {(kind, name): [Test]}."""

    def __init__(self, kinds):
        self.kinds = kinds
        self.shown, self.refused, self.failures = {}, {}, []
        self.tests = []
        for suite in SUITES:
            tests, marks = load(suite)
            self.tests += tests
            known = {(test.path, test.function): test for test in tests}
            for path, line, text, function in marks:
                self.where = f"{path.relative_to(ROOT)}:{line}"
                test = known.get((path, function))
                if function is None:
                    self.fail("the mark is not directly above a function")
                elif test is None:
                    self.fail(f"{function} is not a registered test")
                elif test.always_skips():
                    self.fail(f"{function} always skips")
                else:
                    self.take(test, text)

    def fail(self, text):
        self.failures.append(f"{self.where}: {text}")

    def take(self, test, text):
        into = None
        for part in filter(None, (part.strip() for part in re.split(r";|(?=\b(?:shows|refuses):)", text))):
            verb = re.match(r"(shows|refuses):\s*", part)
            if verb:
                into = self.shown if verb[1] == "shows" else self.refused
                part = part[verb.end():]
            word, _, what = part.partition(" ")
            kind = self.kinds.get(word)
            if kind is None:
                self.fail(f"there is no kind of item called \"{word}\"")
                continue
            for item in self.items(kind, test, what.strip()):
                if into is self.shown and item.offered is False:
                    self.fail(f"{item.name} is not offered, but a mark claims that the test shows it")
                elif into is self.refused and item.offered is True:
                    self.fail(f"{item.name} is offered, but a mark claims that the test shows its refusal")
                elif test not in into.setdefault((word, item.name), []):
                    into[word, item.name].append(test)

    def items(self, kind, test, what):
        table = re.fullmatch(r"of (\w+)", what)
        ends = re.fullmatch(r"(\S+) to (\S+)", what)
        if table:
            if test.table(table[1]) is None:
                self.fail(f"{test.function} uses no array {table[1]}")
                return []
            found = of_table(kind, test, table[1])
            if not found:
                self.fail(f"the array {table[1]} names no {kind.word}")
            return found
        names = [ends[1], ends[2]] if ends else [name.strip() for name in what.split(",")]
        for name in names:
            if name not in kind.items:
                self.fail(f"there is no {kind.word} called \"{name}\"")
                return []
        found = kind.between(*names) if ends else [kind.items[name] for name in names]
        unnamed = [item.name for item in (found[:1] if ends else found)
                   if kind.word not in UNNAMED and not test.names(item)]
        if unnamed:
            self.fail(f"{test.function} does not name {', '.join(unnamed)}")
            return []
        return found

    def proof(self, word, item):
        """Returns the tests, and whether they show the item or its refusal."""
        shown = self.shown.get((word, item.name), [])
        refused = self.refused.get((word, item.name), [])
        return (shown, True) if shown else (refused, False)
