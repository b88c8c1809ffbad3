# SPDX-License-Identifier: BSD-2-Clause
"""Names and numbers come from include/vsm/hv, and whether they are offered from the tables that drive the code.
Without such a table an item is offered if a test shows it, and not offered if a test shows its refusal."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADERS = ROOT / "include/vsm/hv"


def header(name):
    return (HEADERS / name).read_text()


def source(line):
    """The one file of src/ that has a line with this beginning."""
    found = [text for text in (path.read_text() for path in sorted((ROOT / "src").glob("**/*.c")))
             if re.search("^" + re.escape(line), text, re.M)]
    if len(found) != 1:
        raise SystemExit(f"tests/conformance/subjects.py: {len(found)} files in src/ have a line \"{line}\"")
    return found[0]


class Item:
    def __init__(self, name, constant, short, number, offered=None):
        self.name = name  # as in the TLFS and in marks
        self.constant = constant
        self.short = short  # the constant without its prefix, as used by macros of tests
        self.number = number
        self.offered = offered  # True, False, or None if the code has no table of such items
        self.note = ""


class Kind:
    """`word`: in marks; `items`: in order."""

    def __init__(self, word, items):
        self.word = word
        self.items = {item.name: item for item in items}
        self.by_constant = {item.constant: item for item in items if item.constant}
        self.by_short = {item.short: item for item in items if item.short}
        self.by_number = {item.number: item for item in items if item.number is not None}

    def between(self, first, last):
        """By their numbers, both included."""
        low, high = self.items[first].number, self.items[last].number
        return [item for item in self.items.values() if low <= item.number <= high]


def listed(text, macro, prefix="", strip=()):
    """Rows X(NAME, number[, TLFS name])."""
    body = re.search(r"#define " + macro + r"\(X\)((?:.*\\\n)*.*)", text).group(1)
    items = []
    for name, number, tlfs in re.findall(r"X\((\w+),\s*(\w+)(?:,\s*(\w+))?\)", body):
        constant = prefix + name
        short = name
        for start in strip:
            short = re.sub("^" + start, "", short)
        items.append(Item(tlfs or constant, constant, short, int(number, 0)))
    return items


def listed_parts(text, macro, **how):
    """A list macro that is made of others."""
    body = re.search(r"#define " + macro + r"\(X\)((?:.*\\\n)*.*)", text).group(1)
    texts = text + "".join(path.read_text() for path in sorted(HEADERS.glob("registers_*.h")))
    return [item for part in re.findall(r"\b(\w+)\(X\)", body) for item in listed(texts, part, **how)]


def hypercalls():
    items = listed(header("hypercall.h"), "HV_HYPERCALL_LIST", strip=("HV_CALL_", "HV_EXT_CALL_"))
    table = set(re.findall(r"^\t\{(HV_\w+),", source("const struct hypercall_info hypercall_table[]"), re.M))
    # VTL call and return are handled before the table.
    table |= {"HV_CALL_VTL_CALL", "HV_CALL_VTL_RETURN"}
    for item in items:
        item.offered = item.constant in table
    return Kind("hypercall", items)


def registers():
    items = listed_parts(header("registers.h"), "HV_REGISTER_LIST",
                         strip=("HV_X64_REGISTER_", "HV_REGISTER_"))
    kind = Kind("register", items)
    kind.rows = []
    for item in items:
        item.offered = False
    who = {"REGS_LOWER": "lower VTLs", "REGS_OWN": "own and lower VTLs"}
    for synthetic, first, last, rule in re.findall(
            r"^\t\{(HV_)?(?:ONE|RUN)\((\w+)(?:, (\w+))?\), (\w+)", source("const struct regs_row regs_table[]"), re.M):
        prefix = "HV_REGISTER_" if synthetic else "HV_X64_REGISTER_"
        ends = [kind.by_constant[prefix + name].name for name in (first, last or first)]
        covered = kind.between(*ends)
        for item in covered:
            item.offered = True
        kind.rows.append((covered, who.get(rule, rule[5:].lower().replace("_", " "))))
    return kind


def msrs():
    items = listed_parts(header("msr.h"), "HV_MSR_LIST", prefix="HV_X64_MSR_")
    kind = Kind("msr", items)
    for item in items:
        item.offered = False
    for first, last in re.findall(r"^\t\{(HV_X64_MSR_\w+),\s*(HV_X64_MSR_\w+),", source("static const struct msr_range msr_table[]"), re.M):
        for item in kind.between(first, last):
            item.offered = True
    return kind


def bits(word, macro, prefix, implemented):
    """A macro of cpuid.c names the bits that are implemented."""
    items = listed(header("cpuid_features.h"), macro, prefix=prefix)
    text = re.search(r"#define " + implemented + r"((?:.*\\\n)*.*)", source("#define " + implemented)).group(1)
    named = set(re.findall(r"\w+\((\w+)\)", text))
    for item in items:
        item.offered = item.short in named
    return Kind(word, items)


def enum(word, name, prefix, file):
    body = re.search(r"enum " + name + r" \{\n(.*?)^\}", header(file), re.S | re.M).group(1)
    return Kind(word, [Item(constant, constant, constant[len(prefix):], int(number, 0))
                       for constant, number in re.findall(r"(\w+) = (\w+),", body)])


def crash_bits():
    found = re.findall(r"^#define (HV_CRASH_CTL_(\w+))\s+(?:HV_BIT64\((\d+)\)|(\d+)$)", header("msr.h"), re.M)
    return Kind("crash", [Item(constant, constant, short, int(bit or shift))
                          for constant, short, bit, shift in found])


def rules():
    """Chapters with the rows "name | rule | state"."""
    items, chapter = [], None
    for line in (ROOT / "tests/conformance/rules.txt").read_text().splitlines():
        if line.startswith("== "):
            chapter = line[3:]
        elif line and not line.startswith("#"):
            cells = [cell.strip() for cell in line.split("|")]
            if len(cells) != 3 or cells[2] not in ("implemented", "refused", "not offered", "other"):
                raise SystemExit(f"tests/conformance/rules.txt: not a row \"name | rule | state\": {line}")
            item = Item(cells[0], None, None, None)
            item.chapter, item.note, item.state = chapter, cells[1], cells[2]
            item.offered = {"implemented": True, "other": None}.get(cells[2], False)
            if any(item.name == other.name for other in items):
                raise SystemExit(f"tests/conformance/rules.txt: two rows are called {item.name}")
            items.append(item)
    return Kind("rule", items)


def all_kinds():
    kinds = [
        rules(), hypercalls(), registers(), msrs(),
        Kind("leaf", listed(header("cpuid.h"), "HV_CPUID_LIST", prefix="HV_CPUID_")),
        bits("privilege", "HV_PRIVILEGE_LIST", "HV_PRIVILEGE_BIT_", "PRIVILEGES_IMPLEMENTED"),
        bits("feature", "HV_FEATURE_LIST", "HV_FEATURE_BIT_", "FEATURES_IMPLEMENTED"),
        bits("recommendation", "HV_RECOMMEND_LIST", "HV_RECOMMEND_BIT_", "RECOMMENDATIONS_POSSIBLE"),
        Kind("intercept", listed(header("install_intercept.h"), "HV_INTERCEPT_TYPE_LIST",
                                 prefix="HV_INTERCEPT_TYPE_")),
        Kind("control", listed(header("cr_intercept.h"), "HV_CR_INTERCEPT_LIST",
                               prefix="HV_CR_INTERCEPT_BIT_")),
        Kind("entry", listed(header("assist_page.h"), "HV_VTL_ENTRY_REASON_LIST", prefix="HV_VTL_ENTRY_")),
        enum("interruption", "hv_interruption_type", "HV_INTERRUPTION_TYPE_", "pending_event.h"),
        enum("event", "hv_pending_event_type", "HV_PENDING_EVENT_", "pending_event.h"),
        crash_bits(),
    ]
    return {kind.word: kind for kind in kinds}
