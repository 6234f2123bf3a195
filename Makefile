# SPDX-License-Identifier: GPL-2.0-only
# loopdma: the front door.  `make help` lists what there is.
#
# Everything that takes thought is in scripts/ and tests/, whose programs can be used
# alone: each has --help.

# Kbuild, when it reads this directory, takes Kbuild; this is for people.
ifneq ($(KERNELRELEASE),)
include Kbuild
else

.DEFAULT_GOAL := help

# For kbuild, in "make modules": those that were given.
KBUILD_VARS := $(foreach v,W C CF V LLVM CC KCFLAGS INSTALL_MOD_PATH,\
	$(if $(filter command% environment%,$(origin $(v))),'$(v)=$($(v))'))
# A module of scripts/lib/ that is a program too.
LIB = PYTHONPATH=scripts python3 -m lib
# One word for the shell, whatever is in it.
quote = '$(subst ','\'',$(1))'
KDIR_ARG := $(if $(KDIR),--kdir=$(call quote,$(KDIR)))
# The guest of 'run', 'shell' and 'guest'.
MACHINE = $(KDIR_ARG) $(if $(KERNEL),--kernel=$(call quote,$(KERNEL))) \
	$(if $(DEVICE),--device-opts=$(call quote,$(DEVICE))) \
	$(if $(CPUS),--smp=$(call quote,$(CPUS))) $(if $(MEM),--mem=$(call quote,$(MEM)))
YOURS = $(foreach file,$(FILES),--file=$(call quote,$(file))) \
	$(if $(SHARE),--share=$(call quote,$(SHARE)))

help:  ## this list
	@echo "loopdma: a virtual DMA engine for QEMU and its Linux driver"
	@echo
	@sed -n 's/^\([a-z_-]*\):.*  ## \(.*\)/  make \1	\2/p' Makefile | expand -t 26
	@echo
	@echo "Variables:"
	@echo "  KDIR=DIR                kernel headers for 'modules' (default: the running kernel's);"
	@echo "                          a built kernel of yours for 'run', 'shell', 'guest' and 'check'"
	@echo "  W= C= CF= V= LLVM=      handed to kbuild by 'modules'"
	@echo "  KERNEL=NAME             stock kernel for 'run', 'shell' and 'guest' (make kernels)"
	@echo "  DEVICE=PROP=VALUE,...   properties of the device for them"
	@echo "  CPUS=N MEM=MIB          CPUs (2) and memory (512; 2G) for them"
	@echo "  FILES='PATH ...'        files to be put in / of the guest of 'shell' and 'guest'"
	@echo "  SHARE=DIR               directory that they see as /host (default: build/share)"
	@echo "  CMD='COMMAND'           what 'guest' is to run; scripts/run.py --cmd ends with its status"
	@echo "  LANES=NAME,...          lanes for 'check' (scripts/check.py --list)"
	@echo "  SHARD=I/N               the I-th of N parts of 'check-full'"
	@echo "  LIES=N                  how many for 'hostile' (default 200000)"
	@echo "  TIME=TIME               how long to 'fuzz' (60, 10m, 2h; default: 60 seconds); seconds for 'soak' (600)"
	@echo "  ONLY=NAME,...           mutants for 'mutants' (tests/mutants/mutants.py --list)"
	@echo "  BASE=COMMIT             for 'bench' and its kin: measure another commit in turn"
	@echo "  QEMU=PATH               a QEMU that has the device, instead of building one"
	@echo "  LOOPDMA_CACHE=DIR       where kernels and QEMU are kept (default: ~/.cache/loopdma)"

run:  ## build everything, boot a guest, show DMA at work
	@scripts/deps.sh run
	@scripts/run.py $(MACHINE)

shell:  ## the same guest with a shell, driver loaded; FILES= and SHARE= for yours
	@scripts/deps.sh run
	@scripts/run.py --shell $(MACHINE) $(YOURS)

guest:  ## the same guest for one command, CMD='...'
	@scripts/deps.sh run
	@scripts/run.py --cmd=$(call quote,$(CMD)) $(MACHINE) $(YOURS)

check:  ## the tests of every day; LANES=a,b for some of them; KDIR=DIR for those of a kernel
	@scripts/deps.sh check
	@scripts/check.py $(KDIR_ARG) $(if $(LANES),--lanes '$(LANES)')

check-full:  ## the same, and what takes longer
	@scripts/deps.sh full
	@scripts/check.py --full $(if $(SHARD),--shard '$(SHARD)')

endurance:  ## the slow tests for hours: storms, soak, lies, fuzz
	@scripts/deps.sh full
	@scripts/check.py --full --only 'storm:*,soak,matrix:hostile,fuzz,user:fuzz' --set storm.rounds=1000 \
		--set hostile.lies=1000000 --set fuzz.seconds=7200 --set soak.seconds=3600 \
		--set user.fuzz_seconds=7200

modules:  ## build the modules for KDIR
	@$(LIB).modules $(KDIR_ARG) -- $(KBUILD_VARS)

modules_install:  ## install them (after 'modules', as root)
	@$(LIB).modules --install $(KDIR_ARG) -- $(KBUILD_VARS)

kunit:  ## KUnit suites over the simulated device, on user-mode Linux
	@scripts/deps.sh check
	@scripts/check.py --only kunit:uml

kunit-live:  ## KUnit suites on the QEMU device, in a guest
	@scripts/deps.sh check
	@scripts/check.py --only kunit:live

hostile:  ## a device that lies to the driver, in a guest with KASAN; LIES=N
	@scripts/deps.sh check
	@scripts/check.py --only matrix:hostile $(if $(LIES),--set hostile.lies='$(LIES)')

conformance:  ## which rule of dmaengine is checked by which case (after kunit-live)
	@$(LIB).conformance

dmatest:  ## the kernel's dmatest on stock kernels, all interrupt and IOMMU modes
	@scripts/deps.sh check
	@scripts/check.py --full --lanes dmatest

kernels:  ## list the stock kernels that KERNEL= can name; UPDATE=1 to look for newer ones
	@scripts/deps.sh run
	@$(LIB).kernel $(if $(UPDATE),update,list)

kdir:  ## print what modules for the stock kernel KERNEL= are built against
	@$(LIB).kernel kdir $(call quote,$(KERNEL))

support:  ## write the table of tested versions into README.md, from the last check
	@$(LIB).support

qemu:  ## build QEMU with the device; prints its path
	@scripts/deps.sh run
	@scripts/build-qemu.sh

qtest:  ## the device's own tests, without a guest
	@scripts/deps.sh check
	@scripts/check.py --lanes qtest

mutants:  ## plant bugs in driver and device: tests must find them; ONLY=a,b for some
	@scripts/deps.sh check
	@tests/mutants/mutants.py $(if $(ONLY),--only '$(ONLY)')

coverage:  ## which lines and branches of the driver the tests reach; fails if it is too few
	@scripts/deps.sh coverage
	@tests/coverage/coverage.py

fuzz:  ## what a guest could do to the device, at random; TIME=90|10m|2h
	@scripts/deps.sh fuzz
	@tests/fuzz/fuzz.py $(if $(TIME),--time '$(TIME)')

soak:  ## everything on all channels, while all goes wrong that can; TIME=90|10m|1h
	@scripts/deps.sh check
	@scripts/check.py --only soak $(if $(TIME),--set soak.seconds='$(TIME)')

vfio:  ## Linux's VFIO selftests on the device, from user space
	@scripts/deps.sh full
	@scripts/check.py --lanes vfio --full

lint:  ## checkpatch, kernel-doc, shellcheck and the like
	@scripts/deps.sh check
	@scripts/check.py --lanes lint

bench:  ## measure; writes build/reports/bench.html and .json; BASE=COMMIT to compare
	@scripts/deps.sh bench
	@scripts/bench.py $(if $(BASE),--base '$(BASE)')

bench-quick:  ## the same in less than a minute, less exactly
	@scripts/deps.sh bench
	@scripts/bench.py --quick $(if $(BASE),--base '$(BASE)')

bench-instructions:  ## count the instructions that a copy costs the guest, without noise
	@scripts/deps.sh bench
	@scripts/bench.py --instructions $(if $(BASE),--base '$(BASE)')

bench-peers:  ## measure beside the best DMA engine that QEMU has; installs a cross compiler
	@scripts/deps.sh peers
	@scripts/bench.py --peers

deps:  ## install what run and check need (apt-get)
	@scripts/deps.sh check

clean:  ## remove build/
	rm -rf build

distclean: clean  ## remove build/ and the cache
	@scripts/lib/clean-cache.sh

.PHONY: help run shell guest check check-full endurance kernels kdir support modules modules_install kunit kunit-live hostile conformance \
	dmatest qemu qtest mutants coverage fuzz soak vfio lint bench bench-quick bench-instructions bench-peers \
	deps clean distclean

endif
