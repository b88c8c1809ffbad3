# SPDX-License-Identifier: BSD-2-Clause
"""build-aux/docs: the site of the documents has no dead link and loads nothing from a network."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests/rig'))
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import tapcase

PAGES = {
    'meson.build': "project('x', version: '1.2.3')\n",
    'README.md': '# Top\n\n[all](docs/README.md), [one](docs/one.md#a-part)\n',
    'docs/README.md': '# docs\n\n## For a reader\n\n| Page | |\n|---|---|\n| [one](one.md) | x |\n\n[top](../README.md)\n',
    'docs/one.md': '# One\n\n## A part\n\n[file](../src/file.c)\n',
    'src/file.c': 'int x;\n',
    'man/vsm.1': '.Dd November 30, 2026\n.Dt VSM 1\n.Os\n.Sh NAME\n.Nm vsm\n.Nd runs\n.Sh DESCRIPTION\nIt runs.\n',
}


def build(source, site):
    return subprocess.run([ROOT / 'build-aux/docs', source, site], capture_output=True, text=True, check=False)


class Site(unittest.TestCase):
    def setUp(self):
        # pylint: disable=consider-using-with
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.site = pathlib.Path(self.folder.name, 'site')

    def make(self, **changed):
        source = pathlib.Path(self.folder.name, 'source')
        for name, text in {**PAGES, **changed}.items():
            path = source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding='utf-8')
        return build(source, self.site)

    def refuses(self, text, **changed):
        done = self.make(**changed)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn(text, done.stdout)
        self.assertFalse(self.site.exists(), 'no site is left behind')

    def test_the_documents_of_the_tree_are_a_site_that_can_be_searched(self):
        done = build(ROOT, self.site)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for page in ('index', 'search', 'docs/adopt', 'kernel/README', 'man/vsm-run.1', 'man/vsm.3', 'man/vsm_vp_run.3'):
            self.assertTrue((self.site / f'{page}.html').is_file(), page)
        words = (self.site / 'searchindex.js').read_text(encoding='utf-8')
        self.assertIn('userfaultfd', words)
        self.assertIn('man/vsm_walk.3', words)

    def test_pages_link_pages_files_and_headings(self):
        done = self.make()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn('href="docs/one.html#a-part"', (self.site / 'index.html').read_text(encoding='utf-8'))
        self.assertIn('href="../index.html"', (self.site / 'docs/README.html').read_text(encoding='utf-8'))
        self.assertEqual([path.name for path in (self.site / '_downloads').rglob('*.c')], ['file.c'])
        self.assertIn('It runs.', (self.site / 'man/vsm.1.html').read_text(encoding='utf-8'))

    def test_a_link_to_no_page_fails(self):
        self.refuses('docs/one.md', **{'docs/one.md': '# One\n\n## A part\n\n[gone](two.md)\n'})

    def test_a_link_to_no_heading_fails(self):
        self.refuses('index.md', **{'docs/one.md': '# One\n\n## Another part\n'})

    def test_a_link_to_no_file_fails(self):
        self.refuses('docs/one.md', **{'docs/one.md': '# One\n\n## A part\n\n[gone](../src/gone.c)\n'})

    def test_an_image_from_a_network_fails(self):
        self.refuses('from a network', **{'docs/one.md': '# One\n\n## A part\n\n![x](https://example.org/x.png)\n'})

    def test_a_dead_link_in_html_fails(self):
        self.refuses('dead link gone.html', **{'docs/one.md': '# One\n\n## A part\n\n<a href="gone.html">x</a>\n'})


if __name__ == '__main__':
    probe = build(ROOT / 'no such folder', '/nonexistent')
    if probe.returncode == 77:
        print(f'1..0 # SKIP {probe.stdout.strip()}')
        sys.exit(0)
    tapcase.main()
