# SPDX-License-Identifier: BSD-2-Clause
"""A disk from which Bochs boots Linux. Sector 0 is rig/bochs/boot.S with its table; then the kernel's real mode part
with the command line, the rest of the kernel, and the initrd (Documentation/arch/x86/boot.rst)."""
import struct

from .say import RigError

SECTOR = 512
HEADS, SECTORS_A_TRACK = 16, 63
CYLINDER = HEADS * SECTORS_A_TRACK * SECTOR

TABLE, ROWS = 0x100, 20

# The boot sector can address 28 bits.
MOST_SECTORS = 1 << 28

REAL_MODE, COMMAND_LINE, KERNEL = 0x90000, 0x99800, 0x100000
HEAP_END = 0x9600
MEGABYTE = 1 << 20

# Upper bound of the memory at the end of RAM that the BIOS uses.
TOP = 2 * MEGABYTE



class Kernel:

    def __init__(self, data, path):
        def broken(why):
            return RigError(f'{path} cannot be booted: {why}')

        if len(data) < 0x268 or data[0x1fe:0x200] != b'\x55\xaa' or data[0x202:0x206] != b'HdrS':
            raise broken('not a Linux kernel for a PC')
        if struct.unpack_from('<H', data, 0x206)[0] < 0x20a or not data[0x211] & 1:
            raise broken('not a bzImage of boot protocol 2.10 or newer')
        size = ((data[0x1f1] or 4) + 1) * SECTOR
        if size > HEAP_END:
            raise broken(f'its real mode part has {size} bytes, and {HEAP_END} are the maximum')
        if len(data) <= size:
            raise broken('truncated')
        self.real_mode, self.rest = data[:size], data[size:]
        self.initrd_most, = struct.unpack_from('<I', data, 0x22c)
        self.line_most, = struct.unpack_from('<I', data, 0x238)
        preferred, needed = struct.unpack_from('<QI', data, 0x258)
        # Memory that the kernel uses before it reads the memory map.
        self.end = preferred + needed

    def prepared(self, initrd_address, initrd_size, words):
        """With the fields that a boot loader sets, and the command line."""
        line = words.encode()
        if len(line) > self.line_most:
            raise RigError(f"the words for the kernel's command line are too long: {len(line)} of {self.line_most} bytes")
        data = bytearray(self.real_mode.ljust(COMMAND_LINE - REAL_MODE, b'\0'))
        data[0x210] = 0xff                                      # type_of_loader: undefined
        data[0x211] |= 0x80                                     # loadflags: CAN_USE_HEAP
        struct.pack_into('<II', data, 0x218, initrd_address, initrd_size)
        struct.pack_into('<H', data, 0x224, HEAP_END - 0x200)   # heap_end_ptr
        struct.pack_into('<I', data, 0x228, COMMAND_LINE)       # cmd_line_ptr
        return bytes(data) + line + b'\0'


def initrd_address(kernel, size, memory):
    """The highest possible address. `memory` is in MB."""
    end = min(memory * MEGABYTE - TOP, kernel.initrd_most + 1)
    address = (end - size) & -MEGABYTE
    if address < kernel.end:
        least = sum(-(-part // MEGABYTE) for part in (kernel.end, size, TOP))
        raise RigError(f'a guest of {memory} MB has no space for its kernel and {-(-size // MEGABYTE)} MB of files: '
                       f'use --mem {least}M or more')
    return address


def write(file, boot_sector, kernel, initrd, words, memory):
    """`initrd` is bytes, `memory` in MB. Returns the number of cylinders."""
    if len(boot_sector) != SECTOR:
        raise RigError(f'the boot sector for Bochs has {len(boot_sector)} bytes, not {SECTOR}')
    address = initrd_address(kernel, len(initrd), memory)
    parts = ((kernel.prepared(address, len(initrd), words), REAL_MODE), (kernel.rest, KERNEL), (initrd, address))
    table, first = b'', 1
    for data, where in parts:
        count = -(-len(data) // SECTOR)
        table += struct.pack('<III', first, count, where)
        first += count
    if first > MOST_SECTORS:
        raise RigError(f'the files for the guest are too large for its disk: {first * SECTOR // MEGABYTE} MB')
    assert len(parts) < ROWS
    cylinders = -(-first * SECTOR // CYLINDER)
    try:
        file.write(boot_sector[:TABLE] + table + boot_sector[TABLE + len(table):])
        for data, _ in parts:
            file.write(data)
            file.write(b'\0' * (-len(data) % SECTOR))
        # Bochs refuses a disk that is smaller than its geometry.
        file.truncate(cylinders * CYLINDER)
        file.flush()
    except OSError as error:
        raise RigError(f'cannot write the disk of the guest ({cylinders * CYLINDER // MEGABYTE} MB of memory): '
                       f'{error.strerror}') from error
    return cylinders
