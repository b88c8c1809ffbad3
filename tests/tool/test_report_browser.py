#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The page of `vsm report` in Debian's chromium. Usage: test_report_browser.py VSM PAGE ARTEFACTS

ARTEFACTS is a folder: screenshots stay there.
"""
import collections
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'rig'))

# pylint: disable=wrong-import-position
import browser
import tapcase
import tracefile
from tracefile import record

VSM, PAGE = sys.argv[1:3]
ARTEFACTS = pathlib.Path(sys.argv[3])
del sys.argv[1:]  # the remaining arguments are the tests to run

N = collections.namedtuple('Numbers', tracefile.numbers(PAGE))(**tracefile.numbers(PAGE))
MOV = struct.unpack('<QQ', b'\x48\x89\x03'.ljust(16, b'\0'))
LEFT, RIGHT = '\ue012', '\ue014'  # WebDriver's names of keys


def story():
    """A secure kernel that starts, protects, and is attacked, on two processors; 120 different intercepts."""
    generator = random.Random(4)
    yield record(0, 0, N.MEMORY, 0, 0, 160)
    yield record(0, 0, N.MEMORY, 0, 0x100, 32512)
    time = 1_000_000
    for i in range(40):
        first = 0x200 if i < 8 else 0x1000 + 64 * i
        yield record(time, 0, N.VTL_ENTER, 0, 0, 1, 1, 0x1000)
        yield record(time + 20_000, 0, N.PROTECT, 1, -1, first + 64 * i, 64, (0, 13, 1, 3)[i % 4])
        yield record(time + 21_000, 0, N.HYPERCALL, 1, 0x0c, 0x0c, 0, 64)
        yield record(time + 40_000, 0, N.VTL_RETURN, 0, 1, 0, 1, 0x1003)
        time += 200_000
    for i in range(120):
        vp = i % 2
        yield record(time, vp, N.INTERCEPT_MEMORY, 0, 1, 0x200000 + i * 4096, 2 - i % 2, 0xffffffff81000000 + i % 7)
        yield record(time + 100, vp, N.INSTRUCTION, 0, 0xffffffff81000000 + i % 7, *MOV, 3 | 64 << 8)
        yield record(time + 200, vp, N.VTL_ENTER, 0, 0, 1, 2, 0xffffffff81000000)
        yield record(time + 3_000, vp, N.INTERRUPT, 1, 1, 0x50)
        yield record(time + 30_000, vp, N.VTL_RETURN, 0, 1, 0, 0, 0xffffffff81000000)
        if vp:
            yield record(time + 40_000, vp, N.HALT, 0, 0, 1)
        time += generator.randrange(60_000, 90_000)
    yield record(time, 0, N.COUNTERS, 0, 4000, 320, 120)
    yield record(time, 1, N.COUNTERS, 0, 700, 120, 0)


WINDOWS = {}  # {dark: window}, kept for all tests, since a browser takes seconds to start


class InABrowser(unittest.TestCase):

    @staticmethod
    def open(path=None, dark=False, width=1280, height=1000):
        if dark not in WINDOWS:
            WINDOWS[dark] = browser.Browser(dark=dark)
        window = WINDOWS[dark]
        window.resize(width, height)
        window.console_messages()  # discard the messages of the previous test
        window.open(path or STORY)
        assert window.run('return document.documentElement.dataset.ready') == 'yes', window.console_messages()
        return window

    @staticmethod
    def range(window):
        return tuple(map(float, window.run('const d = document.getElementById("lanes").dataset; return [d.begin, d.end]')))

    def test_the_page_loads_without_console_messages_and_network_requests(self):
        window = self.open()
        self.assertEqual(window.console_messages(), [])
        assert window.run('return performance.getEntriesByType("resource").length') == 0
        tiles = window.run('return Object.fromEntries([...document.querySelectorAll("#tiles div")].map('
                           'tile => [tile.querySelector("dt").textContent, tile.querySelector("dd").textContent]))')
        assert tiles['Processors'] == '2' and tiles['Exits'] == '4,700' and tiles['Intercepts'] == '120', tiles
        assert tiles['VTL switches'] == '320', tiles
        window.screenshot(ARTEFACTS / 'report-light.png')
        assert (ARTEFACTS / 'report-light.png').stat().st_size > 50_000
        self.assertEqual(window.console_messages(), [])

    def test_wheel_buttons_keys_and_drag_zoom_and_move_the_timeline(self):
        window = self.open()
        whole = self.range(window)
        assert whole[0] == 0
        window.wheel('#lanes', 100, 0, -300)
        near = self.range(window)
        assert near[1] - near[0] < 0.9 * (whole[1] - whole[0]) and near[0] > 0, near
        window.wheel('#lanes', 100, 0, 300)
        assert self.range(window) == whole
        window.click('#zoom-in')
        window.click('#zoom-in')
        zoomed = self.range(window)
        assert abs((zoomed[1] - zoomed[0]) * 4 - whole[1]) < 1, zoomed
        window.click('#pan-right')
        right = self.range(window)
        assert right[0] > zoomed[0] and abs(right[1] - right[0] - zoomed[1] + zoomed[0]) < 1, right
        window.drag('#lanes', 0, 0, 150)
        dragged = self.range(window)
        assert dragged[0] < right[0] and abs(dragged[1] - dragged[0] - right[1] + right[0]) < 1, dragged
        window.click('#zoom-all')
        assert self.range(window) == whole
        window.run('document.getElementById("lanes").focus()')
        window.press('+', '+', '+')
        keyed = self.range(window)
        assert abs((keyed[1] - keyed[0]) * 8 - whole[1]) < 1, keyed
        window.press(LEFT)
        assert self.range(window)[0] < keyed[0]
        window.press(RIGHT, RIGHT)
        assert self.range(window)[0] > keyed[0]
        window.press('-', '0')
        assert self.range(window) == whole
        self.assertEqual(window.console_messages(), [])

    def test_the_timeline_shows_each_vtl_in_its_row(self):
        window = self.open()
        # VP 0 is in VTL0 most of the time; zoomed to the first entry only VTL1 is shown.
        window.run('timeline.show(1000000, 1040000)')
        paint = window.run('''
            const canvas = document.getElementById("lanes"), scale = devicePixelRatio, context = canvas.getContext("2d");
            const line = context.getImageData((GUTTER + timeline.plotWidth * 0.47) * scale, 0, 1, canvas.height).data;
            const colours = [1, 0].map((vtl, row) => {
              const y = Math.round((AXIS + 5 + (row + 0.4) * timeline.row) * scale);
              return [...line.slice(4 * y, 4 * y + 4)];
            });
            return [colours, vtlColour(1)];''')
        (vtl1, vtl0), wanted = paint
        assert '#' + ''.join(f'{part:02x}' for part in vtl1[:3]) == wanted and vtl1[3] == 255 and vtl0[3] == 0, paint
        window.run('timeline.showReadout(GUTTER + timeline.plotWidth / 2, AXIS + 10)')
        assert 'VP 0' in window.text('#hint') and 'VTL1 for 40 µs' in window.text('#hint'), window.text('#hint')

    def test_every_intercept_is_a_row_that_can_be_found_and_sorted(self):
        window = self.open()
        rows = lambda: window.run('return [...document.querySelectorAll("#intercept-table tbody tr")].map('
                                  'row => [...row.cells].map(cell => cell.textContent))')
        first = rows()
        assert len(first) == 100 and 'of 120' in window.text('#shown'), window.text('#shown')
        assert first[0][7:12] == ['0x200000', 'W', '0xffffffff81000000', 'mov [rbx], rax', '48 89 03'], first[0]
        window.click('#page-on')
        assert len(rows()) == 20 and len({row[7] for row in first + rows()}) == 120
        window.click('#page-back')
        window.run('document.querySelectorAll("#intercept-table th button")[7].click();'
                   'document.querySelectorAll("#intercept-table th button")[7].click()')
        assert rows()[0][7] == '0x277000', rows()[0]
        assert window.run('return document.querySelectorAll("#intercept-table th")[7].getAttribute("aria-sort")') == 'descending'
        window.type('#filter', '0x27 R')
        found = rows()
        assert found and all('0x27' in row[7] for row in found) and len(found) < 20, found
        window.run('document.querySelector("#intercept-table tbody button").click()')
        begin, end = self.range(window)
        assert end - begin < 9_000_000 and window.run('return timeline.cursor') > begin
        self.assertEqual(window.console_messages(), [])

    def test_the_map_of_memory_follows_the_cursor(self):
        window = self.open()
        restricted = lambda: int(window.run('return document.querySelector("#maps canvas").dataset.restricted'))
        assert restricted() == 40 * 64, restricted()
        window.run('timeline.setCursor(0)')
        assert restricted() == 0
        window.run('timeline.setCursor(1000000 + 5 * 200000)')
        assert restricted() == 5 * 64, restricted()
        window.run('const slider = document.getElementById("when"); slider.value = 7; slider.dispatchEvent(new Event("input"))')
        assert restricted() == 7 * 64 and 'step 7 of 40' in window.text('#when-text')
        window.run('document.querySelector("#maps summary").click()')
        cells = window.run('return [...document.querySelectorAll("#maps tr")].slice(1, 3).map('
                           'row => [...row.cells].map(cell => cell.textContent))')
        assert cells == [['0x200000', '0x23ffff', '64', 'none'], ['0x240000', '0x27ffff', '64', 'RX']], cells
        window.run('memoryMap.showCell(0, memoryMap.cellAt(115, 5))')
        assert window.text('#cell').startswith('VTL0, GPA 0x0 to '), window.text('#cell')
        self.assertEqual(window.console_messages(), [])

    def test_the_page_is_drawn_in_dark_mode_and_on_a_narrow_screen(self):
        window = self.open(dark=True, width=520, height=900)
        assert window.run('return document.documentElement.scrollWidth <= innerWidth')
        assert window.run('return matchMedia("(prefers-color-scheme: dark)").matches')
        window.screenshot(ARTEFACTS / 'report-dark.png')
        self.assertEqual(window.console_messages(), [])

    def test_every_control_has_a_name_and_text_has_enough_contrast(self):
        window = self.open()
        nameless = window.run('''return [...document.querySelectorAll("button, input, select, canvas[tabindex]")].filter(one =>
            !(one.textContent.trim() || one.getAttribute("aria-label") || one.labels?.length)).map(one => one.outerHTML)''')
        assert nameless == [], nameless
        # WCAG 2.1, 1.4.3: 4.5 to 1, in light and in dark.
        for dark in (False, True):
            low = (self.open(dark=True) if dark else window).run('''
                const light = (c) => { const p = c.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255).map(
                  v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * p[0] + 0.7152 * p[1] + 0.0722 * p[2]; };
                const paper = (one) => { for (let at = one; at; at = at.parentElement) { const c = getComputedStyle(at).backgroundColor;
                  if (!c.endsWith(", 0)") && c !== "transparent") return c; } return "rgb(255, 255, 255)"; };
                return [...document.querySelectorAll("h1, h2, h1 span, p, dt, dd, th, td, li, caption, summary, output")].filter(one => {
                  const [a, b] = [light(getComputedStyle(one).color), light(paper(one))].sort((x, y) => y - x);
                  return one.textContent.trim() && (a + 0.05) / (b + 0.05) < 4.5; }).map(one => one.outerHTML.slice(0, 100));''')
            assert low == [], (dark, low)

    def test_a_long_table_of_counts_is_short_until_it_is_expanded(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / 'msrs.html'
            subprocess.run([VSM, 'report', '-', '-o', path], input=tracefile.trace(
                [record(i, 0, N.MSR_READ, 0, 0x40000000 + i) for i in range(40)]), check=True)
            window = self.open(path)
            rows = lambda: window.run('return [...document.querySelectorAll("#count-tables table:last-child tr, '
                                      '#count-tables div:last-child tr")].filter(row => row.offsetParent).length')
            few = rows()
            assert 10 < few < 20, few
            window.click('#count-tables button')
            assert rows() >= 40

    def test_pages_of_odd_traces_are_drawn(self):
        generator = random.Random(11)
        window = self.open()
        traces = {
            'empty': tracefile.trace([]), 'one': tracefile.trace([record(5, 0, N.RESET, 0)]),
            'many': tracefile.trace([record(1000 * i, i % 40, N.VTL_ENTER, 0, 0, 1, 1, 0) for i in range(400)], vps=40),
            'long': tracefile.trace([record(0, 0, N.HALT, 0, 0, 1), record(10 ** 16, 0, N.RESET, 0)]),
            'protected': tracefile.trace([record(i, 0, N.PROTECT, 2, -1, generator.randrange(9000), 7, generator.randrange(16))
                                          for i in range(300)]),
            'random': tracefile.trace([record(generator.randrange(9000), generator.randrange(2), generator.randrange(32),
                                              generator.randrange(16), *(generator.randrange(1 << 64) for _ in range(4)))
                                       for _ in range(500)]),
        }
        with tempfile.TemporaryDirectory() as folder:
            for name, data in traces.items():
                path = pathlib.Path(folder) / f'{name}.html'
                subprocess.run([VSM, 'report', '-', '-o', path], input=data, stderr=subprocess.DEVNULL, check=False)
                window.open(path)
                assert window.run('return document.documentElement.dataset.ready') == 'yes', (name, window.console_messages())
                window.click('#timeline')
                window.run('document.getElementById("lanes").focus(); timeline.zoom(0.1); timeline.pan(1); timeline.setCursor(3)')
                window.run('document.querySelectorAll("summary").forEach(one => one.click())')
                self.assertEqual(window.console_messages(), [], name)


ARTEFACTS.mkdir(parents=True, exist_ok=True)
STORY = ARTEFACTS / 'report.html'
subprocess.run([VSM, 'report', '-', '-o', STORY], input=tracefile.trace(story()), check=True)
try:
    tapcase.main()
finally:
    for each in WINDOWS.values():
        each.close()
