# SPDX-License-Identifier: BSD-2-Clause
import json
import pathlib
import socket
import subprocess
import tempfile
import time


# Far more seconds than any step needs on a busy host.
TIMEOUT = 120


def wait_until(condition):
    end = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < end, 'never'
        time.sleep(0.01)


class Client:

    def __init__(self, path, timeout=TIMEOUT):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.settimeout(timeout)
        self.file = self.socket.makefile('rb')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        """None: the machine has closed the connection."""
        try:
            line = self.file.readline()
        except ConnectionError:
            return None
        return json.loads(line) if line else None

    def ask(self, command, **fields):
        self.send(json.dumps({'command': command, **fields}).encode() + b'\n')
        return self.receive()


class Machine:

    VMM = None  # path of the program, set by the importing module

    def __init__(self, *options, folder=None, name='control', **arguments):
        self.own = tempfile.TemporaryDirectory() if folder is None else None
        self.folder = folder or self.own.name
        self.path = f'{self.folder}/{name}'
        self.out = f'{self.folder}/{name}.serial'
        self.options = [self.VMM, '--serial', f'file:{self.out}', *options]
        self.arguments = arguments
        self.process = None

    def start(self):
        # A test that fails before stop() must not leave a process.
        self.process = subprocess.Popen(['setpriv', '--pdeathsig', 'KILL', '--', *self.options, '--control', self.path],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        **self.arguments)
        end = time.monotonic() + 20
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with Client(self.path) as client:
                    if client.ask('help'):
                        return self
            except (FileNotFoundError, ConnectionRefusedError):
                time.sleep(0.01)
        raise AssertionError(f'no socket: {self.stop()}')

    def stop(self):
        """Returns the messages."""
        if self.process.poll() is None:
            self.process.terminate()
        return self._messages()

    def _messages(self):
        text = self.process.communicate(timeout=TIMEOUT)[1].decode()
        assert 'Sanitizer' not in text and 'runtime error' not in text, text
        return text

    def wait(self):
        """Returns the exit status."""
        self._messages()
        return self.process.returncode

    def serial(self):
        return pathlib.Path(self.out).read_text()

    def ask(self, command, **fields):
        with Client(self.path) as client:
            return client.ask(command, **fields)

    def state(self):
        return self.ask('inspect', path='machine')['result']['value']['state']

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        if self.own:
            self.own.cleanup()
