# SPDX-License-Identifier: BSD-2-Clause
"""Files of a machine that boots by Debian's shim and GRUB with Secure Boot: its EFI system partition, and UEFI variables."""
import hashlib
import os
import pathlib
import shutil
import struct
import subprocess
import uuid

import linux_vsm
from vsmrig import cache, fetch, modules
from vsmrig.cpio import Cpio
from vsmrig.say import RigError

HERE = pathlib.Path(__file__).resolve().parent

# Signed programs of the packages, below usr/lib, and their places on the EFI system partition.
PROGRAMS = {'shim/shimx64.efi.signed': 'EFI/BOOT/BOOTX64.EFI', 'grub/x86_64-efi-signed/grubx64.efi.signed': 'EFI/BOOT/grubx64.efi'}

# struct VARIABLE_STORE_HEADER and AUTHENTICATED_VARIABLE_HEADER of EDK II.
STORE = uuid.UUID('aaf32c78-947b-439a-a180-2e144ec37792').bytes_le
VARIABLE = struct.Struct('<HBBIQ16sIII16s')
START_ID, VALID = 0x55aa, 0x3f
NON_VOLATILE, BOOT_SERVICE = 1, 2

# Of shim, and of EFI_SIGNATURE_LIST (UEFI, "Signature Database").
SHIM = uuid.UUID('605dab50-e046-4300-abb6-3dd810dd8b23').bytes_le
X509 = uuid.UUID('a5c059a1-94e4-4aa7-87b5-ab155c2bf072').bytes_le


def enrolled(certificate):
    """The variable MokList with one certificate: (name, data)."""
    signature = SHIM + certificate
    return 'MokList', X509 + struct.pack('<III', 28 + len(signature), 0, len(signature)) + signature


def with_variable(store, name, data):
    """A file of UEFI variables with one more that only boot services can access."""
    store = bytearray(store)
    start = store.find(STORE)
    if start < 0:
        raise RigError('the file of UEFI variables has no store of authenticated variables')
    place = start + 28
    while struct.unpack_from('<H', store, place)[0] == START_ID:
        fields = VARIABLE.unpack_from(store, place)
        place = (place + VARIABLE.size + fields[7] + fields[8] + 3) & ~3
    encoded = (name + '\0').encode('utf-16-le')
    header = VARIABLE.pack(START_ID, VALID, 0, NON_VOLATILE | BOOT_SERVICE, 0, b'', 0, len(encoded), len(data), SHIM)
    added = header + encoded + data
    if store[place:place + len(added)].strip(b'\xff'):
        raise RigError('the file of UEFI variables has no room')
    store[place:place + len(added)] = added
    return bytes(store)


def sign(module, folder):
    """Signs a module by a new key. Returns the signed module and the key's certificate."""
    if not shutil.which('openssl'):
        raise RigError('openssl is missing: `build-aux/setup rig` installs what is needed')
    key, certificate, signed = (folder / name for name in ('key.pem', 'certificate.der', 'vsm-signed.ko'))
    programs = sorted(linux_vsm.headers().glob('usr/lib/linux-kbuild-*/scripts/sign-file'))
    commands = [
        ['openssl', 'req', '-new', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '36500', '-sha256', '-subj', '/CN=modules of this machine/',
         '-outform', 'DER', '-keyout', key, '-out', certificate],
        [programs[-1], 'sha256', key, certificate, module, signed]]
    for command in commands:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RigError(f'cannot sign {module}: {done.stderr.strip()}')
    return signed.read_bytes(), certificate.read_bytes()


def altered(kernel):
    """The kernel with one changed byte in the middle of its compressed code."""
    place = len(kernel) // 2
    return kernel[:place] + bytes([kernel[place] ^ 1]) + kernel[place + 1:]


def build_initrd(initrd, signed):
    """Appends an archive with the signed modules to the initrd of linux_vsm; Linux unpacks both."""
    path = initrd.with_name('initrd-signed.cpio')
    with open(path, 'wb') as file:
        file.write(initrd.read_bytes())
        archive = Cpio(file)
        # Debian signs its modules.
        archive.add('efivarfs.ko', modules.contents(modules.index(cache.directory() / 'kernel/modules')['efivarfs']))
        archive.add('vsm-signed.ko', signed)
        archive.add('secure-boot-init', (HERE / 'secure-boot-init').read_bytes(), 0o755)
        archive.end()
    return path


def files(logs, secure_kernel):
    """Files for secure-boot.sh, by their place in the rig."""
    fetch.ensure(['kernel', 'busybox', 'ovmf', 'secure-boot'])
    initrd = linux_vsm.build(logs, secure_kernel)
    signed, certificate = sign(logs / 'modules/vsm.ko', logs)
    variables = cache.directory() / 'ovmf/usr/share/OVMF/OVMF_VARS_4M.ms.fd'
    (logs / 'variables.fd').write_bytes(with_variable(variables.read_bytes(), *enrolled(certificate)))
    kernel = cache.directory() / 'kernel/vmlinuz'
    (logs / 'altered').write_bytes(altered(kernel.read_bytes()))
    found = {'variables-ms.fd': logs / 'variables.fd', 'esp/vmlinuz': kernel, 'esp/altered': logs / 'altered',
             'esp/initrd': build_initrd(initrd, signed), 'esp/EFI/debian/grub.cfg': HERE / 'grub.cfg'}
    for name, place in PROGRAMS.items():
        found[f'esp/{place}'] = cache.directory() / 'secure-boot/usr/lib' / name
    return found
