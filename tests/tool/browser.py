# SPDX-License-Identifier: BSD-2-Clause
"""Debian's headless chromium, controlled by chromedriver over WebDriver's HTTP (W3C)."""
import base64
import json
import os
import re
import select
import shutil
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

ELEMENT = 'element-6066-11e4-a52e-4f735466cecf'  # the key of an element's reference: WebDriver, 11
TIMEOUT = 90


class Browser:
    """A chromium in which no host name resolves."""

    def __init__(self, dark=False):
        driver = shutil.which('chromedriver')
        chromium = shutil.which('chromium')
        if not driver or not chromium:
            raise unittest.SkipTest('chromium and chromium-driver are not installed')
        self.profile = tempfile.TemporaryDirectory(prefix='vsm-browser-')
        self.process = subprocess.Popen([driver, '--port=0'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                        env={**os.environ, 'HOME': self.profile.name})
        self.session = None
        try:
            self.base = f'http://127.0.0.1:{self._port()}/session'
            arguments = ['--headless=new', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--hide-scrollbars',
                         '--host-resolver-rules=MAP * ~NOTFOUND',
                         f'--user-data-dir={self.profile.name}/profile']
            if os.geteuid() == 0:
                arguments.append('--no-sandbox')
            if dark:
                arguments.append('--force-dark-mode')
            made = self._ask('POST', '', {'capabilities': {'alwaysMatch': {
                'browserName': 'chrome', 'goog:loggingPrefs': {'browser': 'ALL'},
                'goog:chromeOptions': {'binary': chromium, 'args': arguments}}}})
            self.session = made['sessionId']
        except BaseException:
            self.close()
            raise

    def _port(self):
        until = time.monotonic() + TIMEOUT
        while time.monotonic() < until and select.select([self.process.stdout], [], [], 1)[0] is not None:
            line = self.process.stdout.readline()
            found = re.search(r'successfully on port (\d+)', line)
            if found:
                return int(found[1])
            if not line:
                break
        raise AssertionError('chromedriver does not start')

    def _ask(self, method, path, body=None):
        url = self.base + (f'/{self.session}' if self.session else '') + path
        request = urllib.request.Request(url, method=method, headers={'Content-Type': 'application/json'},
                                         data=json.dumps(body).encode() if body is not None else None)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
                return json.load(answer)['value']
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from None

    def close(self):
        if self.session:
            self._ask('DELETE', '')
            self.session = None
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
        self.profile.cleanup()

    def resize(self, width, height):
        self._ask('POST', '/window/rect', {'width': width, 'height': height})

    def open(self, path):
        self._ask('POST', '/url', {'url': path.resolve().as_uri()})

    def run(self, script, *arguments):
        """Returns the script's result."""
        return self._ask('POST', '/execute/sync', {'script': script, 'args': arguments})

    def console_messages(self):
        """The messages written to the console since the last call."""
        return [entry['message'] for entry in self._ask('POST', '/se/log', {'type': 'browser'})]

    def find(self, css):
        return self._ask('POST', '/element', {'using': 'css selector', 'value': css})

    def text(self, css):
        return self._ask('GET', f'/element/{self.find(css)[ELEMENT]}/text')

    def click(self, css):
        self._ask('POST', f'/element/{self.find(css)[ELEMENT]}/click', {})

    def type(self, css, text):
        self._ask('POST', f'/element/{self.find(css)[ELEMENT]}/value', {'text': text})

    def act(self, *sources):
        self._ask('POST', '/actions', {'actions': list(sources)})

    def wheel(self, css, x, y, amount):
        """Relative to the middle of the element."""
        self.act({'type': 'wheel', 'id': 'wheel', 'actions': [
            {'type': 'scroll', 'x': x, 'y': y, 'deltaX': 0, 'deltaY': amount, 'origin': self.find(css)}]})

    def drag(self, css, x, y, by):
        """Horizontally."""
        self.act({'type': 'pointer', 'id': 'mouse', 'parameters': {'pointerType': 'mouse'}, 'actions': [
            {'type': 'pointerMove', 'x': x, 'y': y, 'origin': self.find(css)}, {'type': 'pointerDown', 'button': 0},
            {'type': 'pointerMove', 'x': by, 'y': 0, 'origin': 'pointer', 'duration': 100},
            {'type': 'pointerUp', 'button': 0}]})

    def press(self, *keys):
        self.act({'type': 'key', 'id': 'keys', 'actions': [
            {'type': kind, 'value': key} for key in keys for kind in ('keyDown', 'keyUp')]})

    def screenshot(self, path, whole=True):
        """Of the whole page, or of the visible part."""
        size = self.run('return [innerWidth, innerHeight]')
        if whole:
            height = self.run('return document.documentElement.scrollHeight')
            self.resize(size[0], min(height + 150, 8000))
        data = base64.b64decode(self._ask('GET', '/screenshot'))
        if whole:
            self.resize(*size)
        path.write_bytes(data)
