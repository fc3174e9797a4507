# SPDX-License-Identifier: BSD-3-Clause
# The front door, thin over meson. `make help` lists what there is.

BUILD  ?= build
PREFIX ?= /usr/local
GUEST  ?= testpmd

.PHONY: help demo test build install bench fuzz soak clean

help:
	@echo "make demo              two guests talk through the switch (no VM, no hugepages needed)"
	@echo "make demo GUEST=qemu   the same with two Linux virtual machines"
	@echo "make test              every test; ends with the count"
	@echo "make build             library (shared, static) and switch, under $(BUILD)/"
	@echo "make install           to PREFIX ($(PREFIX)) below DESTDIR"
	@echo "make bench             ours and the stock library, side by side"
	@echo "make fuzz              fuzz for FUZZ_SECONDS each"
	@echo "make soak              the long versions of the leak and guest tests, a siege"
	@echo "make clean             remove what the others built"

demo:
	scripts/install-deps $(if $(filter qemu,$(GUEST)),demo-qemu,demo)
	scripts/build $(BUILD)
	scripts/demo --build-dir $(BUILD) --guest $(GUEST)

test:
	scripts/install-deps test
	scripts/run-tests

build:
	scripts/install-deps build
	scripts/build $(BUILD)

# PREFIX counts at configuration time, which may have been without it.
install: build
	scripts/build $(BUILD) --prefix $(abspath $(PREFIX))
	meson install -C $(BUILD) --no-rebuild

bench:
	scripts/install-deps test
	bench/run

FUZZ_SECONDS ?= 60
fuzz:
	scripts/install-deps test
	fuzz/run $(FUZZ_SECONDS)

soak:
	scripts/install-deps test
	scripts/build $(BUILD) -Dtests=true
	VHOST_NG_SOAK=1 meson test -C $(BUILD) --suite flow --suite hostile --suite guest --suite soak --timeout-multiplier 20

clean:
	rm -rf build build-*
