# SPDX-License-Identifier: BSD-2-Clause
# For people: each target does its own set-up. The build itself is Meson's (meson.build).

SHELL := /bin/bash
FUZZ_SECONDS ?= 20

.PHONY: help all demo demo-qemu check check-unit check-rig check-native check-long bench fuzz conformance docs format install deb uninstall clean
.DEFAULT_GOAL := help

help:
	@echo "make demo        shows what VSM is for: a Linux kernel protected by a secure kernel in VTL1"
	@echo "make demo-qemu   shows it in Debian's QEMU, with attacks by DMA of its devices"
	@echo "make check       every test: unit, sanitizers, static checks, and those on a real KVM"
	@echo "make check-unit  the tests that need no virtual machine (under a minute)"
	@echo "make check-rig   the tests on a real KVM (this host's, or the one inside the rig)"
	@echo "make check-native the tests on this host's KVM, with a report to attach to an issue"
	@echo "make check-long  the long forms of the tests (soak, a million cases)"
	@echo "make bench       the benchmarks; each figure beside its floor from the same run"
	@echo "make fuzz        every fuzz target for FUZZ_SECONDS=$(FUZZ_SECONDS) seconds"
	@echo "make all         only builds, into build/"
	@echo "make install     installs library, headers, command and manual pages (prefix=/usr/local, DESTDIR=)"
	@echo "make deb         Debian packages of the committed tree, into build/deb"
	@echo "make uninstall   removes these (the same prefix and DESTDIR)"
	@echo "make conformance writes docs/conformance.md anew from the code and the marks of the tests"
	@echo "make docs        the documents as a site without a network, into build/docs"
	@echo "make format      formats the sources"
	@echo "make clean       removes the build folders; the rig's downloads stay (remove build/ for these)"

all:
	@build-aux/setup build
	@[ -f build/build.ninja ] || meson setup build
	@meson compile -C build

check:
	@build-aux/setup build check docs fuzz rig
	@build-aux/check unit sanitize race fuzz-corpus static rig

check-unit:
	@build-aux/setup build
	@build-aux/check unit

check-rig:
	@build-aux/setup build rig
	@build-aux/check rig

check-native:
	@build-aux/native --refuse
	@build-aux/setup build
	@build-aux/native

check-long:
	@build-aux/setup build rig deb docs
	@build-aux/check long

demo: all
	@build-aux/setup rig
	@build-aux/demo

demo-qemu: all
	@build-aux/setup build rig
	@ninja -C build tests/rig/qemu-device
	@build-aux/demo-qemu

bench: all
	@build-aux/setup rig
	@build-aux/bench

fuzz:
	@build-aux/setup build fuzz
	@build-aux/fuzz $(FUZZ_SECONDS)

conformance:
	@tests/conformance/generate

docs:
	@build-aux/setup docs
	@build-aux/docs . build/docs

format:
	@git ls-files -z '*.c' '*.h' | xargs -0 clang-format -i

install: all
	@[ -z "$(prefix)" ] || meson configure build --prefix="$(prefix)"
	@meson install -C build
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" -ne 0 ] || ldconfig

deb:
	@build-aux/setup build deb docs
	@build-aux/deb build/deb

uninstall:
	@build-aux/uninstall build

clean:
	@rm -rf build-sanitize build-race build-fuzz
	@[ ! -f build/build.ninja ] || meson compile -C build --clean >/dev/null
	@echo "clean: build folders removed; the rig's cache (build/rig-cache) is kept"
